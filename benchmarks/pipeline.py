"""Whether training waits for its data: `python -m benchmarks.pipeline [--config=PRESET] [--config.field=value]`.

Times training steps as the program makes them, each on the batch that was read during the one before, beside the same
steps on one batch that is there. What they take longer is what the device is idle.
"""

import dataclasses
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

import jax
from absl import flags

from benchmarks.table import Row, table, version
from experiments.clips.data import open_clips
from experiments.comparison.step_timing import prepare
from experiments.hgn import presets
from experiments.run import command_line
from experiments.tasks import TASKS
from hgn_jax import training
from hgn_jax.models.hgn import make_hgn


class Pipeline(NamedTuple):
    """Seconds of a training step, with its batch read meanwhile, and with a batch that is there."""

    reading: float
    ready: float


def measure(config: presets.Config, num_steps: int, turns: int = 3) -> Pipeline:
    """Times so many steps of `config` each way, by turns, after all clips were read once; the best of each.

    The data set, of half as many clips as the small one, is built for the purpose.
    """
    with tempfile.TemporaryDirectory() as directory:
        config = dataclasses.replace(
            config, data=dataclasses.replace(config.data, data_dir=directory, num_train=2000, num_test=100)
        )
        clips = open_clips(config)
        batches = TASKS["hgn"].batches(config, clips).batch_at
        steps_per_epoch = len(clips.splits["train"]) // config.training.batch_size
        for step in range(steps_per_epoch):  # so that what can be kept in memory is
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


def rows(config: presets.Config, num_steps: int) -> list[Row]:
    """The row of `python -m benchmarks`."""
    found = measure(config, num_steps)
    return [
        Row(
            found.ready / found.reading,
            f"training step of {config.preset} with its reading, {jax.local_device_count()} x "
            f"{jax.devices()[0].device_kind}",
            f"{1e3 * found.reading:.3g} ms, idle {max(0.0, 1.0 - found.ready / found.reading):.1%} of it",
            f"the same on a batch that is there, {version('jax')}: {1e3 * found.ready:.3g} ms",
        )
    ]


def main(argv: Sequence[str]) -> None:
    del argv
    print(table(rows(_CONFIG.value, _NUM_STEPS.value)))


if __name__ == "__main__":
    _CONFIG = command_line.define_config(presets.get, presets.PRESETS, "mass_spring_small")
    _NUM_STEPS = flags.DEFINE_integer("num_steps", 100, "Steps timed each way.", lower_bound=1)
    command_line.run(main)
