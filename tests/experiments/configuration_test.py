"""Any preset with any overrides either makes a model that can be trained, or is refused in one line.

The command line is parsed as a user types it, within the test's process. Whether a training step can be made is decided
by JAX's shape evaluation, which runs all of the program but the arithmetic; a few of the steps are computed too.
"""

import contextlib
import dataclasses
import functools
import io
import sys
import types
import typing
import unittest.mock

import hypothesis
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from absl import flags
from hypothesis import strategies

from experiments.clips.config import dataset_config
from experiments.hnn.data import STATE_FEATURES
from experiments.run import command_line, config_flags
from experiments.tasks import TASKS
from hgn_jax import training
from hgn_jax.training.geco import geco

EXAMPLES_PER_PROFILE = 4  # times the profile's number of examples for each task: 100, or 800 in the thorough profile
RUN_EVERY = 60  # every 60th valid configuration is trained for a step

# Sizes small enough to be tried hundreds of times. The overrides of an example come after them.
TINY = {
    "hgn": (
        "--config.image_size=8", "--config.state_channels=2", "--config.encoder_filters=2,",
        "--config.transform_filters=2,", "--config.hamiltonian_filters=2,", "--config.decoder_filters=2,",
        "--config.data.num_steps=4", "--config.data.num_train=8", "--config.data.num_test=4", "--config.unroll=1",
        "--config.training.batch_size=2", "--config.loss_frames=2", "--config.initial_horizon=3",
    ),
    "hnn": (
        "--config.image_size=8", "--config.hidden_sizes=3,", "--config.encoder_sizes=3,", "--config.decoder_sizes=3,",
        "--config.encoder_filters=2,", "--config.decoder_filters=2,", "--config.latent_channels=2",
        "--config.data.num_steps=3", "--config.data.num_train=8", "--config.data.num_test=4",
        "--config.training.batch_size=2",
    ),
    "nhf": (
        "--config.hidden_sizes=3,", "--config.posterior_sizes=3,", "--config.num_links=2",
        "--config.training.batch_size=4",
    ),
}  # fmt: skip
VALUES = {
    int: ("-1", "0", "1", "2", "3", "4", "8", "16", "31", "100000", "1.5", "1e3", "many", ""),
    float: ("-1", "0", "1e-6", "0.3", "1", "2", "1e30", "nan", "inf", "-inf", "fast", ""),
    bool: ("true", "false", "1", "maybe", ""),
    str: tuple(
        "nonsense none 0 leapfrog euler rk4 yoshida4 joint authors elbo geco cosine separate merged shared flow normal "
        "tanh swish softplus sigmoid leaky_relu quadratic noise_free small paper pendulum three_body rings iris file "
        "state pixel convolutional vector mlp both bfloat16 tensorfloat32 full "
        .split(" ")
    ),
    tuple[int, ...]: ("2,", "2,3", "2,2,2", "0,", "-1,2", "()", "", "2", "a,b", "(1, 2)", "1.5,"),
}  # fmt: skip


def _fields(config, prefix="config"):
    """Yields each field that can be overridden with the type of its values."""
    for field in dataclasses.fields(config):
        value, name = getattr(config, field.name), f"{prefix}.{field.name}"
        if dataclasses.is_dataclass(value):
            yield from _fields(value, name)
        else:
            options = typing.get_args(field.type) if isinstance(field.type, types.UnionType) else (field.type,)
            yield name, options[0]


@functools.cache
def _overrides(task):
    """A strategy for one override as typed, sometimes of a field that does not exist."""
    fields = [*_fields(task.presets[task.default_preset]), ("config.colour", str), ("config.training", int)]
    return strategies.one_of(
        *(
            strategies.sampled_from(VALUES[kind]).map(lambda text, name=name: f"--{name}={text}")
            for name, kind in fields
        )
    )


def _parse(task, arguments):
    """Returns the configuration of a command line, or None and the exit status with the text on stderr."""
    flag_values, stderr = flags.FlagValues(), io.StringIO()
    argv = ["program", *arguments]
    try:
        # Overrides become flags because they are found in sys.argv.
        with contextlib.redirect_stderr(stderr), unittest.mock.patch.object(sys, "argv", argv):
            config = config_flags.define_config(task.presets, task.default_preset, flag_values)
            command_line.parse_flags(argv, flag_values)
    except SystemExit as end:
        return None, (end.code, stderr.getvalue())
    return config.value, None


def batch_of(task, config):
    size = config.training.batch_size
    if task.name == "nhf":
        return {"x": np.ones((size, 2), np.float32)}
    num_frames, side = dataset_config(config).num_steps + 1, config.image_size
    if task.name == "hnn" and config.model == "state":
        return dict.fromkeys(STATE_FEATURES, np.ones((size, num_frames, config.state_size), np.float32))
    return {"image": np.broadcast_to(np.uint8(100), (size, num_frames, side, side, 3))}


def _first_step(task, config):
    """Returns `(key, batch) -> scalars`, the whole first step of a run with everything that it needs."""
    model = task.make_model(config)
    optimizer = training.make_optimizer(config.optimizer, config.training.num_steps)
    multiplier = geco(config.geco)

    def step(key, batch):
        params, state = model.init(key, batch), multiplier.init()
        gradient, aux = jax.grad(model.loss, has_aux=True)(params, state.multiplier, key, batch, progress=0.0)
        optimizer.update(gradient, optimizer.init(params), params)
        if "constraint" in aux:
            multiplier.update(state, aux["constraint"])
        return aux

    return step


def _check(task, preset, overrides, counts):
    arguments = [f"--config={preset}", *TINY[task.name], *overrides]
    config, refused = _parse(task, arguments)
    if refused:
        code, text = refused
        assert (code, text[:7], text.count("\n")) == (2, "error: ", 1), (arguments, text)
        counts["refused"] += 1
        return
    try:
        task.validate(config)
        config = task.resolve(config)
    except ValueError as error:
        assert str(error) and "\n" not in str(error), arguments
        counts["refused"] += 1
        return
    counts["valid"] += 1
    sizes = [getattr(config, name, 1) for name in ("image_size", "num_links", "steps_per_link")]
    if max(config.training.batch_size, *sizes) > 100:  # too large for a test to hold or to compile
        return
    hypothesis.note(str(arguments))
    step, batch = _first_step(task, config), batch_of(task, config)
    shapes = jax.eval_shape(step, jax.random.PRNGKey(0), batch)
    assert all(x.shape == () for x in jax.tree.leaves(shapes)), arguments
    if counts["valid"] % RUN_EVERY == 0:
        jax.block_until_ready(jax.jit(step)(jax.random.PRNGKey(0), jax.tree.map(jnp.asarray, batch)))


@pytest.mark.hypothesis  # run by CI with many examples
@pytest.mark.parametrize("name", [pytest.param(name, marks=[pytest.mark.slow] * (name == "nhf")) for name in TASKS])
def test_runs_or_is_refused_in_one_line(name):
    task, counts = TASKS[name], {"refused": 0, "valid": 0}
    num_examples = EXAMPLES_PER_PROFILE * hypothesis.settings().max_examples

    @hypothesis.settings(max_examples=num_examples, suppress_health_check=list(hypothesis.HealthCheck))
    @hypothesis.given(strategies.sampled_from(sorted(task.presets)), strategies.lists(_overrides(task), max_size=3))
    def check(preset, overrides):
        _check(task, preset, overrides, counts)

    check()
    assert min(counts.values()) > num_examples / 10, counts
