"""A clip of a film as its reader hands it over, and how readers are told to read."""

import dataclasses
from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np

from data_builders.video_folder import timing


class UnreadableError(ValueError):
    """A file, or an array in it, cannot be used as a film; the message is the reason, in one line."""


class Reading(NamedTuple):
    """How files are read.

    Attributes:
      timing: `real` takes frames at a constant rate by the times of the file, `frames` takes them one by one.
      axes: Order of the axes of arrays, such as `TNHW`; empty to infer it from the shape.
      range: Values of black and of white in arrays and in pictures of more than 8 bits; None if they need not be told.
      backdrop: Colour behind what is transparent, red, green and blue from 0 to 255.
    """

    timing: str = "real"
    axes: str = ""
    range: tuple[float, float] | None = None
    backdrop: tuple[int, int, int] = (0, 0, 0)


@dataclasses.dataclass
class Clip:
    """One film.

    Attributes:
      name: Name of its array, if the file is an archive of arrays; else empty.
      place: Index in an array of several clips, `[0]`, `[1]`, ...; else empty.
      read: Opens the film and returns its stored frames, uint8 `[height, width, 3]`; the iterator raises the reader's
        errors if the file is damaged.
      times: Times at which the stored frames begin, and at which the last one ends, in seconds, `[frames + 1]`; None if
        the file has none, or they shall not be used.
      remarks: Sentences for the user about how the file is read; some are added while it is read.
    """

    name: str
    place: str
    read: Callable[[], Iterator[np.ndarray]]
    times: np.ndarray | None = None
    remarks: list[str] = dataclasses.field(default_factory=list)

    @property
    def rate(self) -> float | None:
        """Number of frames per second; None if it is not known."""
        return None if self.times is None else 1.0 / timing.typical_interval(self.times)

    @property
    def frames(self) -> Iterator[np.ndarray]:
        """The frames at a constant rate, the film's own, where times are known; else the stored ones."""
        return self.frames_at(None)

    def frames_at(self, rate: float | None) -> Iterator[np.ndarray]:
        """Returns the frames at a constant rate; None for the film's own. Frames without times are taken one by one."""
        if self.times is None:
            return self.read()
        return timing.repeated(self.read(), timing.repetitions(self.times, rate))

    def remark(self, text: str) -> None:
        """Adds a remark, once."""
        if text not in self.remarks:
            self.remarks.append(text)
