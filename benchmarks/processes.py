"""Measurements in processes of their own, so that one does not see the memory and the threads of another."""

import multiprocessing
import resource
from collections.abc import Callable
from typing import Any, NamedTuple


class Cost(NamedTuple):
    """What a computation in a process of its own costs.

    Attributes:
      seconds: Median wall time.
      gigabytes: Peak memory of the process, with its libraries.
    """

    seconds: float
    gigabytes: float


def alone(function: Callable[..., Any], *args: Any) -> Any:
    """Calls a function of a module in a new process and returns its result."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(function, args)


def peak_gigabytes() -> float:
    """Returns the peak memory of this process so far, with its libraries, in GB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9


def training_step(config: Any, repeats: int) -> Cost:
    """Measures a training step of a model of frames in this process, which has the allocator of the programs."""
    from experiments.comparison.step_timing import seconds_per_step  # imports JAX
    from experiments.run import allocator

    allocator.keep_freed_memory()
    return Cost(seconds_per_step(config, repeats), peak_gigabytes())
