"""Locks that keep other processes out of a directory, and what replaces them on file systems without locks."""

import contextlib
import errno
import pathlib
import sys
from collections.abc import Iterator

import filelock

# The answers of flock on file systems that have no locks, such as Lustre mounted without `-o flock` and some NFS.
_NO_LOCKS = {errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOTSUP, errno.ENOLCK}
_REPLACEMENT = ".held"  # added to the name of a lock's file
_SECONDS_BETWEEN_TRIES = 0.5


class HeldError(Exception):
    """Another process holds the lock; the message is what to do if that is not so, or empty."""


@contextlib.contextmanager
def held(path: pathlib.Path, waiting: str | None = None) -> Iterator[bool]:
    """Holds a lock. The operating system releases it when the process ends, however it ends.

    On a file system without locks a file that names this process stands in for one, with a warning. A process that
    has ended on the same machine is recognised; of another machine's that is not possible.

    Args:
      path: File of the lock; its directory must exist.
      waiting: Line that is printed before this process waits for another one; without it there is no waiting.

    Yields:
      Whether it keeps processes of other machines out as well.

    Raises:
      HeldError: If another process holds the lock and `waiting` is None.
      OSError: If the file cannot be made.
    """
    with contextlib.ExitStack() as stack:
        everywhere = True
        try:
            _enter(stack, filelock.FileLock(path, fallback_to_soft=False), waiting)
        except OSError as error:
            if error.errno not in _NO_LOCKS:
                raise
            everywhere = False
            replacement = path.with_name(path.name + _REPLACEMENT)
            print(
                f"warning: the file system of {path.parent} has no locks ({error.strerror}); {replacement.name} there "
                "keeps the processes of this machine apart",
                file=sys.stderr,
            )
            _enter(stack, filelock.SoftFileLock(replacement), waiting, f"if there is none, delete {replacement}")
        yield everywhere


def _enter(stack: contextlib.ExitStack, lock: filelock.BaseFileLock, waiting: str | None, advice: str = "") -> None:
    try:
        lock.acquire(timeout=0)
    except filelock.Timeout as error:
        if waiting is None:
            raise HeldError(advice) from error
        print(waiting, flush=True)
        lock.acquire(poll_interval=_SECONDS_BETWEEN_TRIES)
    stack.callback(lock.release)
