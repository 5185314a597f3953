"""A setting that is far too large is refused in one line that names it, before anything is computed."""

import dataclasses
import types
import typing

import pytest

from experiments.run.presets import pick
from experiments.tasks import TASKS
from hgn_jax import memory

_PRESETS = {
    "hgn": ("mass_spring", "two_body_plus_plus_small", "three_body_anchored", "pendulum_anchored"),
    "hnn": ("pendulum", "mass_spring_conv_small", "two_body_state"),
    "nhf": ("four_modes", "four_modes_paper"),
}

# Fields that may be as large as anybody likes, and for which configurations: what is there is taken, or the disk is
# asked when the data are made, or the model has no such part.
_UNLIMITED = {
    "evaluation.num_examples": lambda config: True,
    "evaluation.batch_size": lambda config: True,
    "data.num_train": lambda config: True,
    "data.num_test": lambda config: True,
    "window_degree": lambda config: config.latent != "keypoints",
    "posterior_bends": lambda config: config.posterior == "gaussian",
    "latent_channels": lambda config: config.model != "convolutional",
    "encoder_filters": lambda config: config.model != "convolutional",
    "decoder_filters": lambda config: (
        config.painter == "discs" if config.program == "hgn" else config.model != "convolutional"
    ),
    "encoder_sizes": lambda config: config.model != "pixel",
    "decoder_sizes": lambda config: config.model != "pixel",
    "image_size": lambda config: config.model == "state",
}


def _whole_numbers(config, prefix=""):
    """Yields the dotted name and type of each field that holds whole numbers."""
    for field in dataclasses.fields(config):
        value = getattr(config, field.name)
        if dataclasses.is_dataclass(value):
            yield from _whole_numbers(value, f"{prefix}{field.name}.")
        options = typing.get_args(field.type) if isinstance(field.type, types.UnionType) else (field.type,)
        if options[0] in (int, tuple[int, ...]):
            yield prefix + field.name, options[0]


_CASES = [
    (task, preset, field, kind)
    for task, presets in _PRESETS.items()
    for preset in presets
    for field, kind in _whole_numbers(TASKS[task].presets[preset])
]


@pytest.mark.parametrize(("task", "preset", "field", "kind"), _CASES)
@pytest.mark.parametrize("value", [10**12, 10**40])
def test_whole_numbers(monkeypatch, task, preset, field, kind, value):
    monkeypatch.setattr(memory, "machine_memory", lambda: 1e12)
    task = TASKS[task]
    config = pick(task.presets, preset)
    *group, name = field.split(".")
    part = getattr(config, group[0]) if group else config
    old = getattr(part, name)
    setattr(part, name, value if kind is int else (value,) * len(old or [0]))
    try:
        task.validate(config)
        task.resolve(config)
    except ValueError as error:
        assert name in str(error) and "\n" not in str(error)
    else:
        assert field in _UNLIMITED and _UNLIMITED[field](config)


@pytest.mark.parametrize("task", TASKS)
def test_presets_fit_a_small_machine(monkeypatch, task):
    monkeypatch.setattr(memory, "machine_memory", lambda: 2e9)
    task = TASKS[task]
    for name, config in task.presets.items():
        if name not in ("video", "file"):
            task.resolve(config)


def test_settings_that_are_too_large_together_are_named_together():
    config = pick(TASKS["nhf"].presets, "four_modes")
    config.training.batch_size, config.posterior_sizes = 10**9, (10**9, 10**9)
    message = r"^training f\(p\|q\) needs .* posterior_sizes=.*; a step .* training.batch_size=1"
    with pytest.raises(ValueError, match=message):
        TASKS["nhf"].resolve(config)
