"""Training steps on an accelerator: `python -m benchmarks.accelerator [--config=PRESET] [--config.field=value]`.

Times batches of several sizes in each precision beside matrix products in the same precision, and the rollout as a scan
beside the unrolled one. On a CPU it only says that there is no accelerator; see `benchmarks.train_step`.
"""

import dataclasses
from collections.abc import Iterator, Sequence

import jax

from benchmarks import program, train_step
from benchmarks.table import Row, table, version
from experiments.hgn import presets
from hgn_jax.networks.precision import PRECISIONS

BATCH_SIZES = (16, 64, 256)


def rows(quick: bool) -> list[Row]:
    """Returns the rows of `python -m benchmarks`."""
    config = presets.PRESETS["mass_spring"]
    return measure_on_accelerator(train_step.smallest(config), 2) if quick else measure_on_accelerator(config, 20)


def measure_on_accelerator(config: presets.Config, repeats: int) -> list[Row]:
    """Returns the rows of `measure` for `BATCH_SIZES`, or on a CPU one row that says that there is no accelerator."""
    if jax.default_backend() == "cpu":
        return [Row(None, f"training step of {config.preset} on an accelerator", "-", "there is none here")]
    return measure(config, BATCH_SIZES, repeats)


def measure(
    config: presets.Config, batch_sizes: Sequence[int], repeats: int, matmul_size: int | None = None
) -> list[Row]:
    """Times training steps on all devices in each precision, with batches of each size, then the rollout as a scan.

    Args:
      config: Configuration whose precision, batch size and unrolling are varied.
      batch_sizes: Numbers of clips per step.
      repeats: Number of steps that are timed.
      matmul_size: Size of the square matrices to multiply; None for one that suits the device.
    """
    rows = list(_batches(config, batch_sizes, repeats, matmul_size))
    return [*rows, _scanned(config, batch_sizes[0], repeats, matmul_size)]


def _batches(config, batch_sizes, repeats, matmul_size) -> Iterator[Row]:
    for precision in PRECISIONS:
        for batch_size in batch_sizes:
            subject = f"training step of {config.preset} on {_devices()}, {batch_size} clips, {precision} precision"
            try:
                measured = train_step.measure(vary(config, batch_size, precision=precision), repeats, matmul_size)
            except jax.errors.JaxRuntimeError as error:
                if "RESOURCE_EXHAUSTED" not in str(error):
                    raise
                yield Row(None, subject, "-", "the device's memory is too small")
                continue
            yield Row(
                measured.rate / measured.peak,
                subject,
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
    """Returns the configuration with another batch size and other fields changed."""
    training = dataclasses.replace(config.training, batch_size=batch_size)
    return dataclasses.replace(config, training=training, **changes)


def _numbers(measured: train_step.Measured) -> str:
    rates = f"{measured.frames / measured.seconds:.0f} frames/s, {measured.rate / 1e12:.3g} TFLOP/s"
    return f"{1e3 * measured.seconds:.3g} ms, {rates}"


def _devices() -> str:
    return f"{jax.local_device_count()} x {jax.devices()[0].device_kind}"


if __name__ == "__main__":
    program.run(
        lambda config, repeats: table(measure_on_accelerator(config, repeats)),
        "mass_spring", 20, help="Number of steps that are timed.",
    )  # fmt: skip
