"""What a pod would do, on paper: `python -m benchmarks.pod [--config=PRESET] [--step_ms=35]`.

Data parallelism exchanges one thing per step, the mean of the gradients. Here their bytes are counted from the model,
and the time that a ring all-reduce takes to move them is computed for several numbers of devices, beside the time of a
step on one device, which is measured elsewhere (`benchmarks.train_step`). Nothing is overlapped, so the efficiency is a
lower bound of what links of this speed allow.
"""

from collections.abc import Sequence

import jax
from absl import flags

from benchmarks.train_step import step_flops
from experiments.comparison.step_timing import random_batch
from experiments.hgn import presets
from experiments.reporting.tables import Table, to_markdown
from experiments.run import command_line, config_flags
from hgn_jax.models.hgn import make_hgn

DEVICES = (8, 64, 256, 1024)
_HOP_SECONDS = 10e-6  # latency of one message between neighbours


def gradient_bytes(config: presets.Config) -> int:
    """Counts the bytes of the gradients of a model, which are those of its parameters."""
    batch = random_batch(config, 1)
    params = jax.eval_shape(make_hgn(config).init, jax.random.PRNGKey(0), batch)
    return sum(x.size * x.dtype.itemsize for x in jax.tree.leaves(params))


def all_reduce_seconds(num_bytes: int, num_devices: int, bytes_per_second: float) -> float:
    """Returns the time of a ring all-reduce, in which each device sends 2 (n - 1) messages of a share of the bytes."""
    messages = 2 * (num_devices - 1)
    return messages * (num_bytes / num_devices / bytes_per_second + _HOP_SECONDS)


def table(config: presets.Config, step_seconds: float, bytes_per_second: float) -> Table:
    """Returns the table, with a row for each number of devices."""
    num_bytes, flops, batch_size = gradient_bytes(config), step_flops(config), config.training.batch_size
    rows = []
    for count in DEVICES:
        exchange = all_reduce_seconds(num_bytes, count, bytes_per_second)
        seconds = step_seconds + exchange
        cells = (
            f"{count * batch_size}", f"{1e3 * exchange:.2f} ms", f"{step_seconds / seconds:.2f}",
            f"{count * batch_size / seconds:.0f}", f"{count * flops / seconds / 1e12:.3g}",
        )  # fmt: skip
        rows.append((str(count), *cells))
    columns = ("clips per step", "all-reduce", "efficiency", "clips/s", "TFLOP/s")
    return Table(f"devices, {num_bytes / 1e6:.1f} MB of gradients", rows, columns=columns)


def main(argv: Sequence[str]) -> None:
    del argv
    print(to_markdown(table(_CONFIG.value, 1e-3 * _STEP_MS.value, 1e9 * _GIGABYTES.value)))


if __name__ == "__main__":
    _CONFIG = config_flags.define_config(presets.PRESETS, "mass_spring")
    _STEP_MS = flags.DEFINE_float("step_ms", 35.0, "Time of a step on one device, in ms.", lower_bound=0.001)
    _GIGABYTES = flags.DEFINE_float("link_gbytes", 50.0, "Speed of the slowest link, in GB/s.", lower_bound=0.001)
    command_line.run(main)
