"""The rows of `python -m benchmarks`, and how two things are timed beside each other."""

import gc
import importlib.metadata
import statistics
import time
from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import NamedTuple, TypeVar

Name = TypeVar("Name", bound=Hashable)


class Row(NamedTuple):
    """A measurement beside another of the same run.

    Attributes:
      ratio: how many times as good as what it is compared with; None where that is not there.
      what: is measured.
      measured: the numbers.
      compared_with: what, of which version, and its numbers.
    """

    ratio: float | None
    what: str
    measured: str
    compared_with: str


def missing(what: str, measured: str, package: str) -> Row:
    """A row without its peer, which is not installed."""
    return Row(None, what, measured, f"{package} is not installed: pip install -e '.[benchmarks]'")


def version(package: str) -> str:
    """A package with its version, `diffrax 0.7.0`."""
    try:
        return f"{package} {importlib.metadata.version(package)}"
    except importlib.metadata.PackageNotFoundError:
        return f"{package}, not installed"


def interleaved_medians(runs: Mapping[Name, Callable[[], object]], repeats: int) -> dict[Name, float]:
    """Median wall seconds of each call, made by turns after one that is not counted, so that all see the same machine.

    Args:
      runs: functions whose results JAX can wait for.
      repeats: calls of each that are counted.
    """
    import jax

    for run in runs.values():
        jax.block_until_ready(run())
    times = {name: [] for name in runs}
    gc.collect()
    for _ in range(repeats):
        for name, run in runs.items():
            begin = time.perf_counter()
            jax.block_until_ready(run())
            times[name].append(time.perf_counter() - begin)
    return {name: statistics.median(each) for name, each in times.items()}


def table(rows: Sequence[Row]) -> str:
    """The rows as text, ratios first."""
    cells = [("ratio", "what", "measured", "compared with")]
    cells += [("-" if row.ratio is None else f"{row.ratio:.3g}", *row[1:]) for row in rows]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = [
        "  ".join([line[0].rjust(widths[0]), *(c.ljust(w) for c, w in zip(line[1:], widths[1:], strict=True))])
        for line in cells
    ]
    return "\n".join(line.rstrip() for line in lines)
