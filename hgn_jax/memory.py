"""Memory that a program is going to need, compared with that of the machine before work begins.

Whoever knows a configuration lists its needs as a few products of sizes. They are estimates of the least that is held
at once, so that what just fits is not refused; they find what is too large by far. No JAX is imported before it is
known that it will be used.
"""

import contextlib
import math
import os
import pathlib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

FLOAT_BYTES = 4

_NUM_FIELDS_NAMED = 3  # the largest

_CGROUPS = pathlib.Path("/proc/self/cgroup")
_CGROUP_ROOT = pathlib.Path("/sys/fs/cgroup")
_CGROUP_FILES = {"": "memory.max", "memory": "memory.limit_in_bytes"}  # by controller: version 2, and version 1


class Need(NamedTuple):
    """Memory that a part of the work holds at once.

    Attributes:
      part: Name of the part, which begins the sentence "... needs about 3 TB of memory".
      num_bytes: Size in bytes; any number, however large.
      fields: Settings that it grows with, and their values, by the names that the user knows.
    """

    part: str
    num_bytes: float
    fields: Mapping[str, Any]


def require(needs: Iterable[Need], available: float | None = None) -> None:
    """Checks that each of several parts of the work, which need not be held at the same time, fits the memory.

    Args:
      needs: The parts.
      available: Memory in bytes; by default that of this machine.

    Raises:
      ValueError: If some do not fit, in one line that names for each of them what to lower.
    """
    available = machine_memory() if available is None else available
    too_large = sorted((need for need in needs if need.num_bytes > available), key=lambda need: -need.num_bytes)
    problems, named = [], set()
    for need in too_large:
        if named.isdisjoint(need.fields):  # smaller needs that grow with the same settings say nothing new
            problems.append(_describe(need))
            named |= set(need.fields)
    if problems:
        raise ValueError(f"{'; '.join(problems)}; there are {format_bytes(available)} of memory")


def _describe(need: Need) -> str:
    def size(field: str) -> float:
        value = need.fields[field]
        return max(value, default=0) if isinstance(value, tuple | list) else value

    largest = sorted((field for field in need.fields if size(field) > 1), key=size, reverse=True)[:_NUM_FIELDS_NAMED]
    fields = " or ".join(f"{name}={need.fields[name]}" for name in largest)
    return f"{need.part} needs about {format_bytes(need.num_bytes)}: lower {fields}"


def format_bytes(num_bytes: float) -> str:
    """Writes a number of bytes with two digits, as `3.1 GB` or `4e+06 PB`."""
    for unit, size in (("MB", 1e6), ("GB", 1e9), ("TB", 1e12)):
        if num_bytes < 1000 * size:
            return f"{num_bytes / size:{'.2g' if num_bytes < 100 * size else '.0f'}} {unit}"
    return f"{num_bytes / 10**15:.2g} PB" if num_bytes < 10**300 else "more than any number of bytes"


def machine_memory() -> float:
    """Memory in bytes that this process may use: that of the machine, or less if it was given a limit."""
    return min([math.inf, *_limits()])


def total_memory() -> float:
    """Memory in bytes of all devices that JAX uses, or of the machine where that is more. Starts JAX's backend."""
    import jax  # takes seconds

    if jax.default_backend() == "cpu":
        return machine_memory() * jax.process_count()
    limits = [(device.memory_stats() or {}).get("bytes_limit", math.inf) for device in jax.local_devices()]
    return max(machine_memory(), sum(limits)) * jax.process_count()


def _limits() -> Iterator[float]:
    with contextlib.suppress(AttributeError, ValueError, OSError):  # where the system does not tell
        yield os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    with contextlib.suppress(ImportError):  # Windows
        import resource

        for kind in (resource.RLIMIT_AS, resource.RLIMIT_DATA):
            soft, _ = resource.getrlimit(kind)
            if soft != resource.RLIM_INFINITY:
                yield soft
    for path in _cgroup_files():
        with contextlib.suppress(OSError, ValueError):  # no such file, or `max`
            yield int(path.read_text())


def _cgroup_files() -> Iterator[pathlib.Path]:
    """The files with the limits of the control groups that this process is in, from the innermost outwards.

    A container may see its own group as the root, whatever the name of the group is.
    """
    lines = _CGROUPS.read_text().splitlines() if _CGROUPS.exists() else []
    for line in lines:
        _, controllers, group = line.split(":", 2)
        place = pathlib.PurePosixPath(group.lstrip("/"))
        for controller, file in _CGROUP_FILES.items():
            if controller in controllers.split(","):
                yield from (_CGROUP_ROOT / controller / parent / file for parent in (place, *place.parents))
