"""What becomes of a program whose output cannot be written: a character, a closed pipe, a full disk."""

import contextlib
import io
import os
import select
import signal
import sys
import traceback
from collections.abc import Iterator
from typing import Any

_CLOSED_PIPE = 128 + signal.SIGPIPE if hasattr(signal, "SIGPIPE") else 1


def print_any_character() -> None:
    """Lets the program print characters that its terminal has not, as question marks instead of a UnicodeError."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")


@contextlib.contextmanager
def one_line_if_output_fails(status: int) -> Iterator[None]:
    """Ends the program with one line and an exit status after an OSError, or silently if its reader has gone.

    The reader of a pipe goes early where the user pipes the output into `head`, or leaves `less`.
    """
    try:
        try:
            yield
        finally:
            sys.stdout.flush()
    except OSError as error:
        gone = [stream for stream in (sys.stdout, sys.stderr) if _reader_has_gone(stream)]
        if not (isinstance(error, BrokenPipeError) and gone):
            print(f"error: {describe(error)}", file=sys.stderr)
        _drop_unwritten(sys.stdout)
        sys.exit(_CLOSED_PIPE if gone else status)


def describe(error: OSError) -> str:
    """Returns the file and the reason of a failure in one line. Python names the file only if it cannot be opened."""
    place = error.filename or _standard_output(error) or _file_in_use(error) or "input or output"
    return f"{place}: {error.strerror or error}"


def _reader_has_gone(stream: Any) -> bool:
    try:
        poll = select.poll()
        poll.register(stream, 0)
        return any(event & select.POLLERR for _, event in poll.poll(0))
    except (AttributeError, OSError, ValueError):  # no polling on this system, or no file behind the stream
        return False


def _drop_unwritten(stream: Any) -> None:
    """Lets Python end without a second error about what could not be written."""
    with contextlib.suppress(OSError, ValueError):
        try:
            stream.flush()
        except OSError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def _standard_output(error: OSError) -> str | None:
    """Says whether writing to the standard output fails in the same way, by writing an empty line."""
    try:
        if not sys.stdout.isatty():
            print(flush=True)
    except OSError as again:
        return "standard output" if again.errno == error.errno else None
    return None


def _file_in_use(error: OSError) -> str | None:
    """Returns the name of the file that the functions were at work on which the error went through, innermost first."""
    for frame, _ in reversed(list(traceback.walk_tb(error.__traceback__))):
        local = list(frame.f_locals.values())
        files = [value.name for value in local if isinstance(value, io.IOBase) and hasattr(value, "name")]
        names = [name for name in files if isinstance(name, str)]  # a temporary file has a number
        names += [os.fspath(value) for value in local if isinstance(value, os.PathLike)]
        if names:
            return names[0]
    return None
