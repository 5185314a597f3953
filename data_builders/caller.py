"""What messages to the user know of the program that builds a data set: how it spells flags, and how much it needs."""

import contextlib
import contextvars
from collections.abc import Callable, Iterator
from typing import NamedTuple


def _flag_of_build(field: str, value: object) -> str:
    return f"--config.{field}={value}"


class Caller(NamedTuple):
    """The program that builds a data set.

    Attributes:
      flag: Returns the flag, or flags, that give a field of the data set's configuration a value, or `batch_size`.
      batch_size: Number of training examples that it needs at least.
      num_test: Number of test examples that it needs at least.
      num_frames: Number of frames of an example that it needs at least.
    """

    flag: Callable[[str, object], str] = _flag_of_build
    batch_size: int = 1
    num_test: int = 1
    num_frames: int = 5


_CALLER: contextvars.ContextVar[Caller | None] = contextvars.ContextVar("caller", default=None)


def current() -> Caller:
    """Returns the program that builds a data set; by default `data_builders.build`."""
    return _CALLER.get() or Caller()


def flag(field: str, value: object) -> str:
    """Returns a flag that gives a field of the data set's configuration a value, as the user would type it."""
    return current().flag(field, value)


@contextlib.contextmanager
def calling(caller: Caller) -> Iterator[None]:
    """Makes a program the current one within the block."""
    token = _CALLER.set(caller)
    try:
        yield
    finally:
        _CALLER.reset(token)
