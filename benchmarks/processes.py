"""Measurements in processes of their own, so that one does not see the memory and the threads of another."""

import multiprocessing
import resource
from collections.abc import Callable
from typing import Any


def alone(function: Callable[..., Any], *args: Any) -> Any:
    """Calls a function of a module in a new process and returns its result."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(function, args)


def peak_gigabytes() -> float:
    """Returns the peak memory of this process so far, with its libraries, in GB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9
