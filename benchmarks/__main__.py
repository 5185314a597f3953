"""Runs the benchmarks and prints one table: `python -m benchmarks [--only=NAME,NAME]`.

Ratios come first: how many times as good as what a row is compared with, which has run beside it. What is compared with
and is not installed is said in the row (`pip install -e ".[benchmarks]"`).
"""

import multiprocessing
import os
import platform
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor

from absl import flags

from benchmarks.suite import BENCHMARKS
from benchmarks.table import Row, table, version
from experiments.run import command_line

_VERSIONS = ("jax", "jaxlib", "dm-haiku", "optax", "numpy")


def run(names: Sequence[str], quick: bool) -> list[Row]:
    """The rows of these benchmarks, each from a new process, with a line to stderr as each begins."""
    rows = []
    for name in names:
        print(f"{name} ...", file=sys.stderr, flush=True)
        begin = time.monotonic()
        with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
            rows += pool.submit(BENCHMARKS[name], quick).result()
        print(f"{name}: {time.monotonic() - begin:.0f} s", file=sys.stderr, flush=True)
    return rows


def main(argv: Sequence[str]) -> None:
    del argv
    names = _ONLY.value or list(BENCHMARKS)
    unknown = [name for name in names if name not in BENCHMARKS]
    if unknown:
        raise command_line.UserError(f"--only: no benchmark {unknown[0]!r}; choose from {', '.join(BENCHMARKS)}")
    rows = run(names, _QUICK.value)
    print(f"{platform.machine()}, {os.cpu_count()} CPU cores, Python {platform.python_version()}, ", end="")
    print(", ".join(map(version, _VERSIONS)))
    print(table(rows))


if __name__ == "__main__":
    _ONLY = flags.DEFINE_list("only", None, f"Which, {', '.join(BENCHMARKS)}; by default all.")
    _QUICK = flags.DEFINE_bool("quick", False, "So small that it shows no more than that they work.")
    command_line.run(main)
