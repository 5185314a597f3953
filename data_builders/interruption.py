"""Ctrl-C ends a program in one line. Programs install this when they start; importing a library never does."""

import os
import signal
import sys
import traceback
from types import FrameType
from typing import NoReturn


def install(message: str = "interrupted; the same command goes on from what is whole") -> None:
    """Makes Ctrl-C end the program with `message` on stderr and the exit status 130, without a traceback.

    Ctrl-C raises KeyboardInterrupt, so that `with` and `finally` blocks are left in order. It ends the program at once
    where the exception would not get through: during an import, since C++ aborts if the initialisation of an extension
    module raises, and in a callback, where Python prints exceptions and ignores them.
    """

    def end() -> NoReturn:
        print(message, file=sys.stderr)
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        os._exit(128 + signal.SIGINT)  # an orderly end crashes where XLA's threads are still at work

    def interrupt(number: int, frame: FrameType | None) -> None:
        if any(part.f_code.co_filename.startswith("<frozen importlib") for part, _ in traceback.walk_stack(frame)):
            end()
        raise KeyboardInterrupt

    def print_exception(kind, *error) -> None:
        if issubclass(kind, KeyboardInterrupt):
            end()
        sys.__excepthook__(kind, *error)

    def print_unraisable(error) -> None:
        if issubclass(error.exc_type, KeyboardInterrupt):
            end()
        sys.__unraisablehook__(error)

    sys.excepthook, sys.unraisablehook = print_exception, print_unraisable
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # a shell's background job ignores Ctrl-C
        signal.signal(signal.SIGINT, interrupt)
