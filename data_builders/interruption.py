"""Ctrl-C ends a program in one line at any time, also while its modules are still being imported."""

import _thread
import multiprocessing
import os
import signal
import sys
import threading
import traceback
from importlib import machinery
from types import FrameType
from typing import NoReturn

_AGAIN = 0.05  # seconds until an interrupt that was ignored is tried again
_MESSAGE = "interrupted; the same command goes on from what is whole"


def exit_interrupted() -> NoReturn:
    """Ends the program at once, with one line and the exit status that a shell expects."""
    print(_MESSAGE, file=sys.stderr)
    for child in multiprocessing.active_children():
        child.kill()
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    os._exit(128 + signal.SIGINT)  # an orderly end crashes where XLA's threads are still at work


def catch_early() -> None:
    """Prints the line instead of a traceback where no `except` is in force yet, if `python -m` runs a program.

    And where Python would only say that an exception is ignored, in callbacks, sees to it that Ctrl-C is not; what else
    goes wrong there follows from an error that is reported where it arose. An extension module that is being imported
    is not to see an exception at all.
    """
    if sys.argv[0] != "-m":  # a library is imported
        return
    before = sys.excepthook

    def excepthook(kind, *rest):
        if issubclass(kind, KeyboardInterrupt):
            exit_interrupted()
        else:
            before(kind, *rest)

    def unraisablehook(raised):
        if issubclass(raised.exc_type, KeyboardInterrupt):
            threading.Timer(_AGAIN, _thread.interrupt_main).start()  # from here it would be ignored once more

    sys.excepthook, sys.unraisablehook = excepthook, unraisablehook
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _interrupt)


def _interrupt(number: int, frame: FrameType | None) -> None:
    """Raises KeyboardInterrupt, but ends the program at once where C++ stands in the way, which would abort at it."""
    if any(_initialises_an_extension(each) for each, _ in traceback.walk_stack(frame)):
        exit_interrupted()
    signal.default_int_handler(number, frame)


def _initialises_an_extension(frame: FrameType) -> bool:
    return isinstance(frame.f_locals.get("self"), machinery.ExtensionFileLoader)
