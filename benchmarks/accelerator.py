"""Training steps on an accelerator: `python -m benchmarks.accelerator [--config=PRESET] [--config.field=value]`.

Batches of several sizes in each precision, beside matrix products in that precision, and the rollout as a scan beside
the unrolled one. On a CPU it says that there is none: `benchmarks.train_step` is for that.
"""

import dataclasses
from collections.abc import Iterator, Sequence

import jax
from absl import flags

from benchmarks import train_step
from benchmarks.table import Row, table, version
from experiments.hgn import presets
from experiments.run import command_line
from hgn_jax.networks.precision import PRECISIONS

BATCH_SIZES = (16, 64, 256)


def rows(config: presets.Config, batch_sizes: Sequence[int], repeats: int, matmul_size: int | None = None) -> list[Row]:
    """Steps of `config` on the devices there are, in each precision and with batches of each size."""
    found = list(_batches(config, batch_sizes, repeats, matmul_size))
    return [*found, _scanned(config, batch_sizes[0], repeats, matmul_size)]


def rows_where_there_is_one(config: presets.Config, repeats: int) -> list[Row]:
    """The same with `BATCH_SIZES`; on a CPU a row that says that this is one."""
    if jax.default_backend() == "cpu":
        return [Row(None, f"training step of {config.preset} on an accelerator", "-", "there is none here")]
    return rows(config, BATCH_SIZES, repeats)


def _batches(config, batch_sizes, repeats, matmul_size) -> Iterator[Row]:
    for precision in PRECISIONS:
        for batch_size in batch_sizes:
            what = f"training step of {config.preset} on {_devices()}, {batch_size} clips, {precision} precision"
            try:
                measured = train_step.measure(vary(config, batch_size, precision=precision), repeats, matmul_size)
            except jax.errors.JaxRuntimeError as error:
                if "RESOURCE_EXHAUSTED" not in str(error):
                    raise
                yield Row(None, what, "-", "the device's memory is too small")
                continue
            yield Row(
                measured.rate / measured.peak,
                what,
                _numbers(measured),
                f"{version('jaxlib')} matrix product, {precision} precision: {measured.peak / 1e12:.3g} TFLOP/s",
            )


def _scanned(config, batch_size, repeats, matmul_size) -> Row:
    unrolled, scanned = (
        train_step.measure(vary(config, batch_size, unroll=unroll), repeats, matmul_size) for unroll in (0, 1)
    )
    return Row(
        unrolled.seconds / scanned.seconds,
        f"training step of {config.preset} on {_devices()}, {batch_size} clips, the rollout a scan",
        f"{_numbers(scanned)}, compiled in {scanned.compile_seconds:.0f} s",
        f"the rollout unrolled: {_numbers(unrolled)}, compiled in {unrolled.compile_seconds:.0f} s",
    )


def vary(config: presets.Config, batch_size: int, **changes) -> presets.Config:
    """The same with batches of another size, and other fields."""
    training = dataclasses.replace(config.training, batch_size=batch_size)
    return dataclasses.replace(config, training=training, **changes)


def _numbers(measured: train_step.Measured) -> str:
    rates = f"{measured.frames / measured.seconds:.0f} frames/s, {measured.rate / 1e12:.3g} TFLOP/s"
    return f"{1e3 * measured.seconds:.3g} ms, {rates}"


def _devices() -> str:
    return f"{jax.local_device_count()} x {jax.devices()[0].device_kind}"


def main(argv: Sequence[str]) -> None:
    del argv
    print(table(rows_where_there_is_one(_CONFIG.value, _REPEATS.value)))


if __name__ == "__main__":
    _CONFIG = command_line.define_config(presets.get, presets.PRESETS, "mass_spring")
    _REPEATS = flags.DEFINE_integer("repeats", 20, "Steps timed.", lower_bound=1)
    command_line.run(main)
