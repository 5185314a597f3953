"""Compares the training with the same model in PyTorch: `python -m benchmarks.beside_torch [--skill]`.

Without flags it times a step at the paper's sizes, each model in a process of its own and by turns, with its peak
memory: ours with all 31 frames decoded and with six random ones, which estimate the same loss without bias, and
PyTorch's (`benchmarks.torch_hgn`). The spread of that estimate is measured too.

`--skill` measures the time to a skill instead, on the small noise-free films: the mass-spring to 0.9 and 0.97 and the
pendulum to 0.9. PyTorch's model trains as the paper says until it is there or `--seconds` are over. Our recipes have
schedules that end, so each is trained with 1/8, 1/4, 1/2 of the preset's steps and the whole, and the first training
that is there counts, with its compilation. Skill is 1 - MSE / MSE of the mean image, on 100 test clips.
"""

import dataclasses
import importlib.util
import json
import statistics
import sys
import time
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from absl import flags

from benchmarks import program
from benchmarks.processes import Cost, alone, peak_gigabytes, training_step
from benchmarks.table import Row, missing, table, version
from experiments.run import command_line

_TURNS = 2
_STEPS = 5
_TEST_CLIPS = 100
_TARGETS = {"mass_spring": (0.9, 0.97), "pendulum": (0.9,)}
_SHARES = (0.125, 0.25, 0.5, 1.0)
_CHECK_EVERY = 40  # steps of PyTorch's between measurements of its skill


def _measure_ours(loss_frames: int | None, quick: bool) -> Cost:
    from benchmarks import train_step
    from experiments.hgn import presets

    config = dataclasses.replace(presets.PRESETS["mass_spring"], loss_frames=loss_frames)
    return training_step(train_step.smallest(config) if quick else config, 1 if quick else _STEPS)


def _measure_torch(quick: bool) -> Cost:
    from benchmarks import torch_hgn

    shape = (2, 3, 32, 32, 3) if quick else (16, 31, 32, 32, 3)
    frames = np.random.default_rng(0).random(shape, np.float32)
    training = torch_hgn.prepare(shape[1])
    return Cost(torch_hgn.median_seconds(training.step, frames, 1 if quick else _STEPS), peak_gigabytes())


def measure_steps(quick: bool = False) -> dict[str, Cost]:
    """Measures a step of each, by turns: `all` frames, `six` random frames, and `torch` where it is installed."""
    kinds: dict[str, tuple[Any, ...]] = {"all": (_measure_ours, None, quick), "six": (_measure_ours, 6, quick)}
    if importlib.util.find_spec("torch"):
        kinds["torch"] = (_measure_torch, quick)
    measured: dict[str, list[Cost]] = {name: [] for name in kinds}
    for _ in range(1 if quick else _TURNS):
        for name, call in kinds.items():
            measured[name].append(alone(*call))
    return {name: Cost(*map(statistics.median, zip(*steps, strict=True))) for name, steps in measured.items()}


def estimate_spread(num_draws: int = 32) -> float:
    """Returns the standard deviation of the loss estimated from six random frames, as a fraction of the loss.

    Of the untrained model of the preset `mass_spring_small`, on one batch of the small noise-free films.
    """
    import jax
    import jax.numpy as jnp

    from experiments.hgn import presets
    from hgn_jax.models.hgn import make_hgn

    config = presets.PRESETS["mass_spring_small"]
    batch = {"image": _films("mass_spring", "train", config.training.batch_size)}
    hgn = make_hgn(dataclasses.replace(config, initial_horizon=None))
    params = hgn.init(jax.random.PRNGKey(0), batch)

    def error(key: jax.Array) -> jax.Array:
        return hgn.loss(params, 1.0, key, batch)[1]["mse"]

    errors = jax.jit(lambda keys: jax.lax.map(error, keys))(jax.random.split(jax.random.PRNGKey(1), num_draws))
    return float(jnp.std(errors) / jnp.mean(errors))


def rows(quick: bool) -> list[Row]:
    """Returns the rows of `python -m benchmarks`."""
    steps = measure_steps(quick)
    names = {"all": "all 31 frames decoded", "six": "six random frames decoded"}
    lines = []
    for name, words in names.items():
        subject = f"training step of the paper's model, {words}"
        ours = f"{steps[name].seconds:.3g} s, peak memory {steps[name].gigabytes:.3g} GB"
        if "torch" not in steps:
            lines.append(missing(subject, ours, "torch"))
            continue
        torch = steps["torch"]
        beside = f"{version('torch')}, all frames: {torch.seconds:.3g} s, {torch.gigabytes:.3g} GB"
        lines.append(Row(torch.seconds / steps[name].seconds, subject, ours, beside))
    return lines


class Reached(NamedTuple):
    """The skill of a training after some time.

    Attributes:
      recipe: Name of the recipe.
      steps: Number of training steps.
      seconds: Wall time of the training, with compilation and without the measuring of skill.
      skill: Skill in the clip on test films.
    """

    recipe: str
    steps: int
    seconds: float
    skill: float


def _films(system: str, split: str, number: int) -> np.ndarray:
    from experiments.clips.data import open_clips
    from experiments.hgn import presets
    from hgn_jax import data

    clips = open_clips(presets.PRESETS[f"{system}_anchored_noise_free"]).splits[split]
    return data.stack(clips, range(min(number, len(clips))), ("image",))["image"]


def skill(images: np.ndarray, films: np.ndarray) -> float:
    """Returns 1 - MSE / MSE of the mean image for clips `[n, time, size, size, 3]` with values in [0, 1]."""
    from hgn_jax.metrics import rollouts

    mean_image = np.mean((films - films.mean(axis=(0, 1))) ** 2)
    return float(rollouts.skill(np.mean((images - films) ** 2), 0.0, mean_image))


def train_ours(system: str, preset: str, share: float) -> Reached:
    """Trains a preset on the small noise-free films with a share of its steps, and measures its skill."""
    import jax

    from experiments.hgn import presets
    from experiments.run import allocator
    from hgn_jax import train
    from hgn_jax.models.hgn import make_hgn

    allocator.keep_freed_memory()
    config = presets.PRESETS[f"{system}{preset}"]
    model, films = make_hgn(config), _films(system, "train", 10**9)
    steps = round(config.training.num_steps * share)
    start = time.perf_counter()
    params = train(model, films, steps, optimizer=config.optimizer, multiplier=config.geco, log=None)
    jax.block_until_ready(params)
    seconds = time.perf_counter() - start
    test = _films(system, "test", _TEST_CLIPS)
    images = jax.jit(lambda x: model.reconstruct(params, x, test.shape[1] - 1))(test)
    return Reached(preset.strip("_"), steps, seconds, skill(np.asarray(images), test / np.float32(255)))


def train_torch(system: str, target: float, budget: float) -> list[Reached]:
    """Trains PyTorch's model until it reaches a skill or a time in seconds, and returns its skill as it trains."""
    from benchmarks import torch_hgn

    films, test = _films(system, "train", 10**9), _films(system, "test", _TEST_CLIPS) / np.float32(255)
    rng, seconds, done, history = np.random.default_rng(0), 0.0, 0, []
    training = torch_hgn.prepare(films.shape[1])
    while seconds < budget and (not history or history[-1].skill < target):
        start = time.perf_counter()
        for _ in range(_CHECK_EVERY):
            training.step(films[rng.integers(len(films), size=16)] / np.float32(255))
        seconds, done = seconds + time.perf_counter() - start, done + _CHECK_EVERY
        reached = skill(torch_hgn.reconstruct(training.model, test), test)
        history.append(Reached("PyTorch, as the paper says", done, seconds, reached))
        print(history[-1], file=sys.stderr, flush=True)
    return history


def time_to_skill(system: str, budget: float) -> list[Reached]:
    """Trains all recipes on a system, and returns the skill of each training."""
    measured: list[Reached] = []
    most = max(_TARGETS[system])
    for preset in ("_anchored_noise_free", "_small"):
        for share in _SHARES:
            measured.append(alone(train_ours, system, preset, share))
            print(measured[-1], file=sys.stderr, flush=True)
            if measured[-1].skill >= most:
                break
    if importlib.util.find_spec("torch"):
        measured += alone(train_torch, system, most, budget)
    return measured


def describe(system: str, measured: Sequence[Reached]) -> list[Row]:
    """Returns a row for each skill of a system and recipe of ours beside PyTorch's."""
    lines = []
    torch = [each for each in measured if each.recipe.startswith("PyTorch")]
    for target in _TARGETS[system]:
        for recipe in dict.fromkeys(each.recipe for each in measured if not each.recipe.startswith("PyTorch")):
            ours = next((each for each in measured if each.recipe == recipe and each.skill >= target), None)
            theirs = next((each for each in torch if each.skill >= target), None)
            subject = f"{system} to a skill of {target}, {recipe}"
            words = f"{ours.seconds:.0f} s, {ours.steps} steps, skill {ours.skill:.3f}" if ours else "not reached"
            if not torch:
                lines.append(missing(subject, words, "torch"))
                continue
            last = theirs or torch[-1]
            beside = f"{version('torch')}: {last.seconds:.0f} s, {last.steps} steps, skill {last.skill:.3f}"
            ratio = last.seconds / ours.seconds if ours else None
            lines.append(Row(ratio, subject, words, beside + ("" if theirs else "; not there yet")))
    return lines


def main(argv: Sequence[str]) -> None:
    del argv
    if not _SKILL.value:
        print(table(rows(quick=False)))
        print(f"six frames: standard deviation of the estimated error {100 * estimate_spread():.1f} % of it")
        return
    if wrong := [system for system in _SYSTEMS.value if system not in _TARGETS]:
        raise command_line.UserError(f"--systems must be of {', '.join(_TARGETS)}; got {', '.join(wrong)}")
    output = program.output_file(_OUTPUT.value)
    records: list[dict[str, Any]] = []
    for system in _SYSTEMS.value:
        measured = time_to_skill(system, _SECONDS.value)
        print(table(describe(system, measured)), flush=True)
        records += [{"system": system, **each._asdict()} for each in measured]
        if output:
            output.write_text(json.dumps(records, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    _SKILL = flags.DEFINE_bool("skill", False, "Measure the time to a skill instead of the time of a step.")
    _SYSTEMS = flags.DEFINE_list("systems", list(_TARGETS), f"Systems of --skill, of {', '.join(_TARGETS)}.")
    _SECONDS = flags.DEFINE_float("seconds", 600.0, "Seconds after which PyTorch's training ends.", lower_bound=1.0)
    _OUTPUT = flags.DEFINE_string("output", None, "JSON file for all that --skill measured.")
    command_line.run(main)
