"""Work shared out among processes of this machine, with results in the order of the tasks."""

import contextlib
import multiprocessing
import os
import signal
import sys
import types
from collections.abc import Callable, Iterator, Sequence
from multiprocessing import connection, resource_tracker
from typing import Any

from data_builders.errors import DatasetError

NUM_WORKERS_VARIABLE = "DATA_BUILDERS_NUM_WORKERS"

# Makes glibc keep the memory of freed images for the next: a fifth of the time went into giving it back and forth.
_ENVIRONMENT = {"MALLOC_MMAP_THRESHOLD_": str(2**28), "MALLOC_TRIM_THRESHOLD_": str(2**28)}


def default_num_workers() -> int:
    """$DATA_BUILDERS_NUM_WORKERS, by default the number of cores this process may use.

    Raises:
      DatasetError: if the variable is no number from 1.
    """
    value = os.environ.get(NUM_WORKERS_VARIABLE, "")
    if not value:
        return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    if not value.isdecimal() or int(value) < 1:
        raise DatasetError(f"the number of workers must be 1 or more, got {NUM_WORKERS_VARIABLE}={value}")
    return int(value)


@contextlib.contextmanager
def default_number(num_workers: int | None) -> Iterator[None]:
    """Makes `num_workers`, unless it is None, the default in the block; raises DatasetError if it is not positive."""
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

    The workers are fresh processes that use one core and no accelerator. They end with the iteration, however that
    ends, and with this process, even if it is killed. A few results at most wait to be yielded, which bounds memory.

    Args:
      function: can be pickled by reference, and so can what it closes over; the same for tasks and results.
      tasks: what it is called with.
      num_workers: number of processes; with 1, or within a worker of `multiprocessing`, it is called right here.

    Raises:
      DatasetError: if a worker is killed. What `function` raises is raised here.
    """
    num_workers = min(num_workers, len(tasks))
    if num_workers <= 1 or multiprocessing.current_process().daemon:  # such workers may not have workers
        yield from map(function, tasks)
        return
    with _started(function, num_workers) as idle:
        busy: dict[connection.Connection, int] = {}
        results: dict[int, tuple[bool, Any]] = {}
        sent = 0
        for wanted in range(len(tasks)):
            while wanted not in results:
                while idle and sent < min(len(tasks), wanted + 2 * num_workers):
                    worker = idle.pop()
                    _send(worker, tasks[sent])
                    busy[worker], sent = sent, sent + 1
                for worker in connection.wait(list(busy)):
                    results[busy.pop(worker)] = _receive(worker)
                    idle.append(worker)
            succeeded, value = results.pop(wanted)
            if not succeeded:
                raise value
            yield value


@contextlib.contextmanager
def _started(function: Callable[[Any], Any], number: int) -> Iterator[list[connection.Connection]]:
    """Starts processes that call `function`; yields a connection to each, and kills them in the end."""
    context = multiprocessing.get_context("spawn")  # a fork of JAX's threads would hang
    processes, connections = [], []
    try:
        with _interrupts_blocked(), _main_module_hidden(), _environment(_ENVIRONMENT):
            for _ in range(number):
                ours, theirs = context.Pipe()
                process = context.Process(target=_work, args=(theirs, function), daemon=True)
                process.start()
                theirs.close()  # the worker's is the only one left, so that its end is noticed here
                processes.append(process)
                connections.append(ours)
        yield list(connections)
    finally:
        for process in processes:
            process.kill()
        for process, ours in zip(processes, connections, strict=True):
            process.join()
            ours.close()


@contextlib.contextmanager
def _interrupts_blocked() -> Iterator[None]:
    """Workers inherit the mask: Ctrl-C reaches them too, but it is for the process that started them to end them."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    resource_tracker.ensure_running()  # its start, with that of the first worker else, would undo the mask
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextlib.contextmanager
def _main_module_hidden() -> Iterator[None]:
    """Keeps new processes from running the user's program again, as they do to find what is defined in it."""
    main = sys.modules["__main__"]
    sys.modules["__main__"] = types.ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = main


def _send(worker: connection.Connection, task: Any) -> None:
    try:
        worker.send(task)
    except OSError:
        raise _worker_lost() from None


def _receive(worker: connection.Connection) -> tuple[bool, Any]:
    """Whether a task succeeded, and what it returned or raised."""
    try:
        return worker.recv()
    except (EOFError, OSError):
        raise _worker_lost() from None


def _worker_lost() -> DatasetError:
    return DatasetError(
        f"a worker process was killed, perhaps for want of memory; try again, or with fewer: {NUM_WORKERS_VARIABLE}=1"
    )


def use_one_core() -> None:
    """Sets JAX up for small computations on one core, in a process that has not computed with it yet."""
    import jax

    os.environ["PJRT_NPROC"] = "1"  # threads of its CPU client
    jax.config.update("jax_platforms", "cpu")
    jax.config.update("jax_cpu_enable_async_dispatch", False)  # handing over to a thread costs more than it brings


def _work(tasks: connection.Connection, function: Callable[[Any], Any]) -> None:
    """What a worker does until the other end of the connection is gone."""
    use_one_core()
    with contextlib.suppress(EOFError, OSError):
        while True:
            task = tasks.recv()
            try:
                result = True, function(task)
            except Exception as error:
                result = False, error
            tasks.send(result)
