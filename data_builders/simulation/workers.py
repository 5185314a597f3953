"""Tasks shared among processes of this machine, with results in the order of the tasks."""

import contextlib
import multiprocessing
import os
import signal
import sys
import threading
import types
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing.connection import Connection
from typing import Any

from data_builders.errors import DatasetError

NUM_WORKERS_VARIABLE = "DATA_BUILDERS_NUM_WORKERS"

# Makes glibc keep the memory of freed images for the next ones; allocating it anew took a fifth of the time.
_WORKER_ENVIRONMENT = {"MALLOC_MMAP_THRESHOLD_": str(2**28), "MALLOC_TRIM_THRESHOLD_": str(2**28)}


def default_num_workers() -> int:
    """Returns $DATA_BUILDERS_NUM_WORKERS, by default the number of cores that this process may use.

    Raises:
      DatasetError: If the variable is not a positive integer.
    """
    value = os.environ.get(NUM_WORKERS_VARIABLE, "")
    if not value:
        return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    if not value.isdecimal() or int(value) < 1:
        raise DatasetError(f"the number of workers must be 1 or more, got {NUM_WORKERS_VARIABLE}={value}")
    return int(value)


@contextlib.contextmanager
def default_number(num_workers: int | None) -> Iterator[None]:
    """Sets the default number of workers inside the block, unless it is None; raises DatasetError if not positive."""
    if num_workers is not None and num_workers < 1:
        raise DatasetError(f"the number of workers must be 1 or more, got {num_workers}")
    with _environment({} if num_workers is None else {NUM_WORKERS_VARIABLE: str(num_workers)}):
        yield


@contextlib.contextmanager
def _environment(variables: dict[str, str]) -> Iterator[None]:
    """Sets environment variables inside the block."""
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def ordered_map(function: Callable[[Any], Any], tasks: Sequence[Any], num_workers: int) -> Iterator[Any]:
    """Yields `function(task)` for each task, in the order of the tasks.

    The workers are new processes that use one core and no accelerator. They end with the iteration, however that ends,
    and with this process, even if it is killed. At most two tasks per worker are in progress or wait to be yielded,
    which bounds the memory.

    Args:
      function: Function of one task. It, the tasks and the results can be pickled; it is not defined in `__main__`.
      tasks: Its arguments.
      num_workers: Number of processes. With 1, or within a daemonic process, the function is called in this one.

    Raises:
      DatasetError: If a worker is killed.
      Exception: Whatever `function` raises.
    """
    num_workers = min(num_workers, len(tasks))
    if num_workers <= 1 or multiprocessing.current_process().daemon:  # daemonic processes may not start others
        yield from map(function, tasks)
        return
    context = multiprocessing.get_context("spawn")  # a fork would hang in JAX's threads
    worker_end, parent_end = context.Pipe(duplex=False)
    executor = ProcessPoolExecutor(num_workers, context, initializer=_start_worker, initargs=(worker_end,))
    # Submitting a task may start a worker. Ctrl-C, which Python raises in the main thread, cannot interrupt this in
    # another thread. Workers inherit that the thread blocks it; this process ends them.
    submitter = ThreadPoolExecutor(1, initializer=signal.pthread_sigmask, initargs=(signal.SIG_BLOCK, {signal.SIGINT}))
    futures: deque[Future] = deque()
    try:
        for task in tasks:
            futures.append(submitter.submit(_submit, executor, function, task).result())
            if len(futures) == 2 * num_workers:
                yield futures.popleft().result()
        while futures:
            yield futures.popleft().result()
    except BrokenProcessPool:
        raise DatasetError(
            "a worker process was killed, perhaps for want of memory; try again, or with fewer: "
            f"{NUM_WORKERS_VARIABLE}=1"
        ) from None
    finally:
        submitter.shutdown()
        parent_end.close()
        worker_end.close()
        executor.shutdown(cancel_futures=True)


def _submit(executor: ProcessPoolExecutor, function: Callable[[Any], Any], task: Any) -> Future:
    """Submits a task; a worker that this starts has `_WORKER_ENVIRONMENT` and does not run the user's program again."""
    main = sys.modules["__main__"]
    sys.modules["__main__"] = types.ModuleType("__main__")  # needs no guard `if __name__ == "__main__"` in a program
    try:
        with _environment(_WORKER_ENVIRONMENT):
            return executor.submit(function, task)
    finally:
        sys.modules["__main__"] = main


def _start_worker(connection: Connection) -> None:
    """Prepares a worker, which ends when the other end of the connection is closed or its process is gone."""
    use_one_core()
    threading.Thread(target=_exit_when_closed, args=(connection,), daemon=True).start()


def _exit_when_closed(connection: Connection) -> None:
    with contextlib.suppress(EOFError, OSError):
        connection.recv()
    os._exit(1)


def use_one_core() -> None:
    """Sets JAX up for small computations on one core, in a process that has not computed with it yet."""
    import jax

    os.environ["PJRT_NPROC"] = "1"  # threads of its CPU client
    jax.config.update("jax_platforms", "cpu")
    jax.config.update("jax_cpu_enable_async_dispatch", False)  # handing over to a thread costs more than it gains
