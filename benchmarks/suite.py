"""The benchmarks by name. Each is a module of this package with a function `rows(quick)`."""

import importlib

from benchmarks.table import Row

NAMES = (
    "train_step",
    "beside_torch",
    "accelerator",
    "pipeline",
    "data",
    "integrators",
    "nhf_vs_flows",
    "scaling",
    "growth",
)


def rows(name: str, quick: bool) -> list[Row]:
    """Runs a benchmark, best in a process that has not imported JAX yet, since some of them set up JAX.

    Args:
      name: One of `NAMES`.
      quick: Whether to use sizes so small that they only show that the benchmark works.
    """
    return importlib.import_module(f"benchmarks.{name}").rows(quick)
