"""Measures whether training waits for data: `python -m benchmarks.pipeline [--config=PRESET] [--config.field=value]`.

Times training steps as the program makes them, where each batch is read during the step before it, beside the same
steps on one batch in memory. The difference is the time for which the device is idle.
"""

import dataclasses
import tempfile
import time
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import jax

from benchmarks import program, train_step
from benchmarks.table import Row, table, version
from experiments.clips.data import open_clips
from experiments.comparison.step_timing import prepare
from experiments.hgn import presets
from experiments.tasks import TASKS
from hgn_jax import training
from hgn_jax.models.hgn import make_hgn


class Pipeline(NamedTuple):
    """Wall time of a training step.

    Attributes:
      reading: Seconds per step when its batch is read during the step before.
      ready: Seconds per step on a batch in memory.
    """

    reading: float
    ready: float


def measure(config: presets.Config, num_steps: int, turns: int = 3, num_clips: int = 2000) -> Pipeline:
    """Times training steps both ways, by turns, and returns the fastest turn of each.

    Args:
      config: Configuration; its data set is built in a temporary directory.
      num_steps: Number of steps in a turn.
      turns: Number of turns.
      num_clips: Number of training clips. All of them are read once before the first turn.
    """
    with tempfile.TemporaryDirectory() as directory:
        data = dataclasses.replace(config.data, data_dir=directory, num_train=num_clips, num_test=100)
        config = dataclasses.replace(config, data=data)
        clips = open_clips(config)
        batches = TASKS["hgn"].batches(config, clips).batch_at
        steps_per_epoch = len(clips.splits["train"]) // config.training.batch_size
        for step in range(steps_per_epoch):  # keeps in memory what can be kept there
            batches(step)

        def split(step: int) -> training.Batch:
            return training.split_among_devices(batches(steps_per_epoch + step), jax.local_device_count())

        ready = split(0)
        step = prepare(make_hgn(config), config, batches(0), jax.local_devices()).step
        jax.block_until_ready(step(ready))
        feeds = {"reading": lambda: training.prefetch(split, range(num_steps)), "ready": lambda: [ready] * num_steps}
        seconds: dict[str, list[float]] = {name: [] for name in feeds}
        for _ in range(turns):
            for name, feed in feeds.items():
                seconds[name].append(_seconds(step, feed()) / num_steps)
    return Pipeline(**{name: min(times) for name, times in seconds.items()})


def _seconds(step: Callable[..., Any], feed: Iterable[training.Batch]) -> float:
    start, scalars = time.perf_counter(), None
    for batch in feed:
        scalars = step(batch)
    jax.block_until_ready(scalars)
    return time.perf_counter() - start


def rows(quick: bool) -> list[Row]:
    """Returns the rows of `python -m benchmarks`."""
    config = presets.PRESETS["mass_spring_small"]
    return [row(train_step.smallest(config), 5) if quick else row(config, 100)]


def row(config: presets.Config, num_steps: int) -> Row:
    """Compares steps with and without reading their batches."""
    measured = measure(config, num_steps)
    ratio = measured.ready / measured.reading
    return Row(
        ratio,
        f"training step of {config.preset} with its reading, {jax.local_device_count()} x "
        f"{jax.devices()[0].device_kind}",
        f"{1e3 * measured.reading:.3g} ms, idle {max(0.0, 1.0 - ratio):.1%} of the time",
        f"the same on a batch in memory, {version('jax')}: {1e3 * measured.ready:.3g} ms",
    )


if __name__ == "__main__":
    program.run(
        lambda config, num_steps: table([row(config, num_steps)]),
        "mass_spring_small", 100, flag="num_steps", help="Number of steps that are timed each way.",
    )  # fmt: skip
