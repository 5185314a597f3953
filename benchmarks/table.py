"""The rows of `python -m benchmarks`, and the timing of several functions beside each other."""

import gc
import importlib.metadata
import os
import statistics
import time
from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import NamedTuple, TypeVar

Name = TypeVar("Name", bound=Hashable)


class Row(NamedTuple):
    """A measurement beside another one of the same run.

    Attributes:
      ratio: Factor by which the measurement is better than the other one; None without another one.
      subject: Description of the measured task.
      measured: Measured numbers with their units.
      compared_with: Description of the other measurement, with the version of its package and its numbers.
    """

    ratio: float | None
    subject: str
    measured: str
    compared_with: str


def missing(subject: str, measured: str, package: str) -> Row:
    """Returns a row without a comparison, since the package to compare with is not installed."""
    return Row(None, subject, measured, f"{package} is not installed: pip install -e '.[benchmarks]'")


def version(package: str) -> str:
    """Returns the name of a package with its installed version, such as `diffrax 0.7.0`."""
    try:
        return f"{package} {importlib.metadata.version(package)}"
    except importlib.metadata.PackageNotFoundError:
        return f"{package}, not installed"


def device() -> str:
    """Returns the devices of this process and the cores of its machine, such as `1 x cpu, 2 CPU cores`."""
    import jax

    return f"{jax.local_device_count()} x {jax.devices()[0].device_kind}, {os.cpu_count()} CPU cores"


def interleaved_medians(runs: Mapping[Name, Callable[[], object]], repeats: int) -> dict[Name, float]:
    """Returns the median wall time of each function, in seconds.

    The functions take turns, so that a change in the machine's load affects all of them. Their first calls, which may
    compile, are not counted.

    Args:
      runs: Functions by name; their results are pytrees that JAX can wait for.
      repeats: Number of calls of each function that are counted.
    """
    import jax

    for run in runs.values():
        jax.block_until_ready(run())
    times = {name: [] for name in runs}
    gc.collect()
    for _ in range(repeats):
        for name, run in runs.items():
            start = time.perf_counter()
            jax.block_until_ready(run())
            times[name].append(time.perf_counter() - start)
    return {name: statistics.median(each) for name, each in times.items()}


def table(rows: Sequence[Row]) -> str:
    """Formats rows as text, one per line, with the ratios first."""
    cells = [("-" if row.ratio is None else f"{row.ratio:.3g}", *row[1:]) for row in rows]
    return "\n".join(align([("ratio", "subject", "measured", "compared with"), *cells], num_numeric=1))


def align(rows: Sequence[Sequence[str]], num_numeric: int = 0) -> list[str]:
    """Formats cells as lines with aligned columns, the first `num_numeric` of them to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    pads = [str.rjust] * num_numeric + [str.ljust] * (len(widths) - num_numeric)
    return ["  ".join(pad(*cell) for pad, *cell in zip(pads, row, widths, strict=True)).rstrip() for row in rows]
