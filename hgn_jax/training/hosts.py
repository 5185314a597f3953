"""Several processes that train one model together by `jax.distributed`, on one host or several.

Each process has its own devices and reads its own part of every batch; the main process, number 0, writes. With a
single process these functions are no-ops or do all of the work.

JAX is imported inside the functions, because programs check their flags with this module before they import JAX.
"""

import contextlib
import importlib.util
import os
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple, TypeVar

from hgn_jax.errors import OtherProcessError

Result = TypeVar("Result")

_SHUTDOWN_TIMEOUT = 24 * 3600  # seconds for which the other processes wait while the main one evaluates
_PATIENCE = 5  # seconds without the others after which a process says what it waits for


class _Launcher(NamedTuple):
    """A program that starts several processes, and the environment variables by which they find each other.

    Attributes:
      name: Name of the system it belongs to.
      command: The program.
      count: Variable with the number of processes.
      others: The other variables that JAX reads.
    """

    name: str
    command: str
    count: str
    others: tuple[str, ...]


_LAUNCHERS = (
    _Launcher(
        "SLURM",
        "srun",
        "SLURM_STEP_NUM_TASKS",
        ("SLURM_JOB_ID", "SLURM_STEP_NODELIST", "SLURM_NTASKS", "SLURM_PROCID", "SLURM_LOCALID"),
    ),
    _Launcher(
        "Open MPI",
        "mpirun",
        "OMPI_COMM_WORLD_SIZE",
        ("OMPI_MCA_orte_hnp_uri", "OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_LOCAL_RANK"),
    ),
)


def start(coordinator: str | None = None, num_processes: int | None = None, process_id: int | None = None) -> None:
    """Connects this process with the others; must be called before JAX is first used.

    Without arguments, the processes of a TPU pod or of a job under SLURM or Open MPI are connected; elsewhere nothing
    happens. `num_processes=1` alone trains in this process only, wherever it runs.

    Args:
      coordinator: Address of process 0, `host:port`, the same in all processes.
      num_processes: Number of processes.
      process_id: Number of this process, from 0.

    Raises:
      ValueError: If only some of the three are given, or one is invalid; or if the environment says that a launcher
        started several processes, but not where they are.
    """
    arguments = (coordinator, num_processes, process_id)
    if all(value is None for value in arguments):
        _start_on_cluster()
        return
    if arguments == (None, 1, None):
        return
    if any(value is None for value in arguments):
        raise ValueError(
            "coordinator, num_processes and process_id belong together; give all three or none, or num_processes=1 to "
            "train alone"
        )
    host, _, port = coordinator.rpartition(":")
    if not host or not port.isdigit():
        raise ValueError(f"coordinator must be HOST:PORT of process 0, got {coordinator!r}")
    if num_processes < 1 or not 0 <= process_id < num_processes:
        raise ValueError(
            f"process_id must lie between 0 and num_processes - 1, got process_id={process_id} of {num_processes}"
        )
    _connect(f"{num_processes} processes at {coordinator}", coordinator, num_processes, process_id)


def _start_on_cluster() -> None:
    launcher = next((each for each in _LAUNCHERS if os.environ.get(each.count, "1") != "1"), None)
    if launcher:
        count = os.environ[launcher.count]
        missing = [name for name in launcher.others if name not in os.environ]
        if missing:
            raise ValueError(
                f"{launcher.count}={count} in the environment says that {count} processes of {launcher.name} train "
                f"together, but it lacks {', '.join(missing)}; start them with {launcher.command}, or train alone with "
                "--num_processes=1"
            )
        _connect(f"the {count} processes that {launcher.command} of {launcher.name} starts")
    elif importlib.util.find_spec("libtpu"):
        import jax

        with contextlib.suppress(ValueError):  # on a single TPU host there is no coordinator
            jax.distributed.initialize(shutdown_timeout_seconds=_SHUTDOWN_TIMEOUT)


def _connect(others: str, *arguments: Any) -> None:
    """Connects this process with the others; if they do not come soon, prints that it waits for them."""
    import jax

    line = f"waiting for {others}; to train alone: --num_processes=1"
    timer = threading.Timer(_PATIENCE, print, (line,), {"file": sys.stderr, "flush": True})
    timer.daemon = True
    timer.start()
    try:
        jax.distributed.initialize(*arguments, shutdown_timeout_seconds=_SHUTDOWN_TIMEOUT)
    finally:
        timer.cancel()


def is_main() -> bool:
    """Returns whether this process is the main one, which writes."""
    import jax

    return jax.process_index() == 0


def local_slice(batch_size: int) -> slice:
    """Returns which examples of a batch of `batch_size` this process reads."""
    import jax

    size = batch_size // jax.process_count()
    return slice(jax.process_index() * size, (jax.process_index() + 1) * size)


@contextlib.contextmanager
def fail_together() -> Iterator[None]:
    """Makes all processes leave the block normally or none: if one raises, the others raise OtherProcessError."""
    try:
        yield
    except Exception:
        _failed_processes(True)
        raise
    failed = _failed_processes(False)
    if failed:
        import jax

        raise OtherProcessError(f"process {failed[0]} of {jax.process_count()} failed, and says why itself")


def _failed_processes(failed: bool) -> list[int]:
    """The numbers of the processes that failed, once each has said whether it did."""
    import jax
    import numpy as np
    from jax.experimental import multihost_utils

    if jax.process_count() == 1:
        return []
    return np.flatnonzero(multihost_utils.process_allgather(np.asarray(failed))).tolist()


def main_first(function: Callable[[], Result]) -> Result:
    """Returns `function()`, called in the main process before the others, so that they find the files it makes."""
    with fail_together():
        result = function() if is_main() else None
    with fail_together():
        return result if is_main() else function()


def broadcast_from_main(tree: Any) -> Any:
    """Returns the main process's pytree of arrays in every process, as NumPy arrays.

    Args:
      tree: The pytree. In the other processes only its structure, shapes and types matter.
    """
    import jax
    from jax.experimental import multihost_utils

    return multihost_utils.broadcast_one_to_all(tree) if jax.process_count() > 1 else tree
