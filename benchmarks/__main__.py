"""Runs the benchmarks and prints one table: `python -m benchmarks [--only=NAME,NAME]`.

Each row begins with a ratio: how many times as good the measurement is as the one it is compared with, which ran beside
it. A row says if the package to compare with is not installed (`pip install -e ".[benchmarks]"`).
"""

import multiprocessing
import os
import platform
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor

from absl import flags

from benchmarks import suite
from benchmarks.table import Row, table, version
from experiments.run import command_line

_PACKAGES = ("jax", "jaxlib", "dm-haiku", "optax", "numpy")


def run(names: Sequence[str], quick: bool) -> list[Row]:
    """Runs benchmarks, each in a new process, and reports their progress on stderr."""
    rows = []
    for name in names:
        print(f"{name} ...", file=sys.stderr, flush=True)
        start = time.monotonic()
        with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
            rows += pool.submit(suite.rows, name, quick).result()
        print(f"{name}: {time.monotonic() - start:.0f} s", file=sys.stderr, flush=True)
    return rows


def main(argv: Sequence[str]) -> None:
    del argv
    names = _ONLY.value or suite.NAMES
    unknown = [name for name in names if name not in suite.NAMES]
    if unknown:
        raise command_line.UserError(f"--only: no benchmark {unknown[0]!r}; choose from {', '.join(suite.NAMES)}")
    rows = run(names, _QUICK.value)
    print(f"{platform.machine()}, {os.cpu_count()} CPU cores, Python {platform.python_version()}, ", end="")
    print(", ".join(map(version, _PACKAGES)))
    print(table(rows))


if __name__ == "__main__":
    _ONLY = flags.DEFINE_list("only", None, f"Benchmarks to run, of {', '.join(suite.NAMES)}. Default: all.")
    _QUICK = flags.DEFINE_bool("quick", False, "Use sizes so small that they only show that the benchmarks work.")
    command_line.run(main)
