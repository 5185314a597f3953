"""What several devices cost or gain: `XLA_FLAGS=--xla_force_host_platform_device_count=4 python -m benchmarks.scaling`.

Times a training step on 1, 2, 4, ... of the devices there are, in turns. Accelerators get as many examples each, and
the efficiency is the time on one over the time on all. The devices that XLA makes of one CPU share its cores, and one
of them uses all of these already, so there the whole batch stays the same and what counts is the overhead: the time on
several over the time on one, less one.
"""

import os
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import jax
from absl import flags

from benchmarks.table import interleaved_medians
from experiments.comparison.step_timing import prepare, random_batch
from experiments.hgn import presets
from experiments.run import command_line
from hgn_jax.models.hgn import make_hgn


class Scaling(NamedTuple):
    """A number of devices, the examples of a step on all of them, and the median seconds that it takes."""

    num_devices: int
    batch_size: int
    seconds: float


def measure(config: presets.Config, repeats: int) -> list[Scaling]:
    """Times steps of `config` on growing numbers of devices, which take turns."""
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


def lines(results: Sequence[Scaling]) -> Iterator[str]:
    """The table that is printed."""
    alone = results[0].seconds
    yield f"devices  examples  s/step  {'overhead' if _shared_cores() else 'efficiency'}"
    for count, batch_size, seconds in results:
        ratio = seconds / alone - 1.0 if _shared_cores() else alone / seconds
        yield f"{count:7d}  {batch_size:8d}  {seconds:6.3f}  {ratio:{'+.1%' if _shared_cores() else '.2f'}}"


def main(argv: Sequence[str]) -> None:
    del argv
    results = measure(_CONFIG.value, _REPEATS.value)
    kind, cores = jax.devices()[0].device_kind, os.cpu_count()
    print(f"{_CONFIG.value.preset}, {jax.device_count()} x {kind}, {cores} CPU cores, jax {jax.__version__}")
    print(*lines(results), f"median of {_REPEATS.value} steps each", sep="\n")


if __name__ == "__main__":
    _CONFIG = command_line.define_config(presets.get, presets.PRESETS, "mass_spring_small")
    _REPEATS = flags.DEFINE_integer("repeats", 15, "Steps timed on each number of devices.", lower_bound=1)
    command_line.run(main)
