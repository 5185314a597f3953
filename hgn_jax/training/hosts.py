"""Processes that train as one, by `jax.distributed`: on several hosts, or several on one.

Each process has its own devices and reads its own part of every batch. One of them, the main one, writes. In a process
that is alone the functions here do nothing, or all of the work.

JAX is imported where it is used: a program asks this module to check its flags before it imports JAX.
"""

import contextlib
import importlib.util
import os
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from hgn_jax.errors import OtherProcessError

Result = TypeVar("Result")

_LONGEST_EVALUATION = 24 * 3600  # seconds that the others wait for the main process at the end
# What launchers say of the number of processes of a job.
_LAUNCHER_COUNTS = ("SLURM_STEP_NUM_TASKS", "OMPI_COMM_WORLD_SIZE")


def start(coordinator: str | None = None, num_processes: int | None = None, process_id: int | None = None) -> None:
    """Joins the other processes; must come before anything that starts a JAX backend.

    Without arguments it joins those of a TPU pod or of a job under SLURM or Open MPI, and does nothing elsewhere.

    Args:
      coordinator: `host:port` of process 0, the same for all.
      num_processes: how many there are.
      process_id: which one this is, from 0.

    Raises:
      ValueError: in one line, unless the three are given together and make sense.
    """
    given = (coordinator, num_processes, process_id)
    if all(value is None for value in given):
        _start_on_cluster()
        return
    if any(value is None for value in given):
        raise ValueError("coordinator, num_processes and process_id belong together; give all three or none")
    host, _, port = coordinator.rpartition(":")
    if not host or not port.isdigit():
        raise ValueError(f"coordinator must be HOST:PORT of process 0, got {coordinator!r}")
    if num_processes < 1 or not 0 <= process_id < num_processes:
        raise ValueError(
            f"process_id must lie between 0 and num_processes - 1, got process_id={process_id} of {num_processes}"
        )
    import jax

    jax.distributed.initialize(coordinator, num_processes, process_id, shutdown_timeout_seconds=_LONGEST_EVALUATION)


def _start_on_cluster() -> None:
    launched = any(os.environ.get(name, "1") != "1" for name in _LAUNCHER_COUNTS)
    if launched or importlib.util.find_spec("libtpu"):
        import jax

        # A TPU without companions has no coordinator to be found, which is a ValueError; a launcher's job has one.
        with contextlib.nullcontext() if launched else contextlib.suppress(ValueError):
            jax.distributed.initialize(shutdown_timeout_seconds=_LONGEST_EVALUATION)


def is_main() -> bool:
    """Whether this is the process that writes."""
    import jax

    return jax.process_index() == 0


def own_part(batch_size: int) -> slice:
    """The examples of a batch that this process reads."""
    import jax

    size = batch_size // jax.process_count()
    return slice(jax.process_index() * size, (jax.process_index() + 1) * size)


@contextlib.contextmanager
def together() -> Iterator[None]:
    """All processes leave the block, or none does: where one raises, the others raise OtherProcessError."""
    try:
        yield
    except Exception:
        _who_failed(True)
        raise
    failed = _who_failed(False)
    if failed:
        import jax

        raise OtherProcessError(f"process {failed[0]} of {jax.process_count()} failed, and says why itself")


def _who_failed(failed: bool) -> list[int]:
    import jax
    import numpy as np
    from jax.experimental import multihost_utils

    if jax.process_count() == 1:
        return []
    return np.flatnonzero(multihost_utils.process_allgather(np.asarray(failed))).tolist()


def main_first(function: Callable[[], Result]) -> Result:
    """The result of `function`, called by the main process first, so that the others find what it made."""
    with together():
        result = function() if is_main() else None
    with together():
        return result if is_main() else function()


def from_main(tree: Any) -> Any:
    """The main process's pytree of arrays, as NumPy arrays, in every process; the others give its structure."""
    import jax
    from jax.experimental import multihost_utils

    return multihost_utils.broadcast_one_to_all(tree) if jax.process_count() > 1 else tree
