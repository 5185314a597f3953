"""The gain from several devices: `XLA_FLAGS=--xla_force_host_platform_device_count=4 python -m benchmarks.scaling`.

Times a training step on 1, 2, 4, ... of the devices, by turns. On accelerators each device has the same number of
examples, and the efficiency is the time on one device divided by the time on all. The devices that XLA makes of one CPU
share its cores, which one of them already uses fully. There the global batch stays the same, and the overhead is the
relative increase of the time over that on one device.
"""

import os
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import jax

from benchmarks import program, train_step
from benchmarks.table import Row, interleaved_medians, version
from experiments.comparison.step_timing import prepare, random_batch
from experiments.hgn import presets
from hgn_jax.models.hgn import make_hgn


class Scaling(NamedTuple):
    """Wall time of a training step on several devices.

    Attributes:
      num_devices: Number of devices.
      batch_size: Number of examples per step, on all devices together.
      seconds: Median wall time per step.
    """

    num_devices: int
    batch_size: int
    seconds: float


def measure(config: presets.Config, repeats: int) -> list[Scaling]:
    """Times `repeats` steps on each number of devices that is a power of two and divides the batch."""
    counts = [2**i for i in range(jax.device_count().bit_length()) if config.training.batch_size % 2**i == 0]
    sizes = {count: config.training.batch_size * (1 if _shared_cores() else count) for count in counts}
    hgn = make_hgn(config)
    steps = {
        count: prepare(hgn, config, random_batch(config, sizes[count]), jax.devices()[:count]).step for count in counts
    }
    seconds = interleaved_medians(steps, repeats)
    return [Scaling(count, sizes[count], seconds[count]) for count in counts]


def _shared_cores() -> bool:
    return jax.default_backend() == "cpu"


def rows(quick: bool) -> list[Row]:
    """Returns the rows of `python -m benchmarks`. On a host without accelerators its CPU becomes two devices."""
    os.environ["XLA_FLAGS"] = f"{os.environ.get('XLA_FLAGS', '')} --xla_force_host_platform_device_count=2".strip()
    config = presets.PRESETS["mass_spring_small"]
    alone, *_, most = measure(train_step.smallest(config), 2) if quick else measure(config, 15)
    return [
        Row(
            (most.batch_size / most.seconds) / (alone.batch_size / alone.seconds),
            f"training step of {config.preset} on {most.num_devices} x {jax.devices()[0].device_kind}, "
            f"{most.batch_size} clips",
            f"{most.seconds:.3g} s",
            f"one of them, {alone.batch_size} clips, {version('jax')}: {alone.seconds:.3g} s",
        )
    ]


def lines(results: Sequence[Scaling]) -> Iterator[str]:
    """Yields the lines of the printed table."""
    alone = results[0].seconds
    yield f"devices  examples  s/step  {'overhead' if _shared_cores() else 'efficiency'}"
    for count, batch_size, seconds in results:
        ratio = seconds / alone - 1.0 if _shared_cores() else alone / seconds
        yield f"{count:7d}  {batch_size:8d}  {seconds:6.3f}  {ratio:{'+.1%' if _shared_cores() else '.2f'}}"


def _describe(config: presets.Config, repeats: int) -> str:
    results = measure(config, repeats)
    devices = f"{jax.device_count()} x {jax.devices()[0].device_kind}, {os.cpu_count()} CPU cores"
    head = f"{config.preset}, {devices}, jax {jax.__version__}"
    return "\n".join([head, *lines(results), f"median of {repeats} steps each"])


if __name__ == "__main__":
    program.run(_describe, "mass_spring_small", 15, help="Number of steps that are timed on each number of devices.")
