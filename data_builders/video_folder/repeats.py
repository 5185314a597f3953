"""Counts the frames of a film that show what the one before shows, as a camera or a converter repeats them."""

import numpy as np

_GRID = 64  # pixels along a side that are compared
_NEARLY = 0.25  # of the changes before and after it, below which a change is that of a frame encoded twice
_MOVING = 0.5  # of the median change, above which the changes before and after it have to be


class Repeats:
    """Counts frames that equal the one before.

    A film that is compressed with loss shows a repeated frame as one that hardly differs from the one before, between
    two larger changes.
    """

    def __init__(self):
        self._previous: np.ndarray | None = None
        self._changes: list[float] = []

    def add(self, frame: np.ndarray) -> None:
        """Adds the next frame, uint8 `[height, width, 3]`; one that is the same object as the one before has no say."""
        if frame is self._previous:
            return
        if self._previous is not None:
            self._changes.append(_change(frame, self._previous))
        self._previous = frame

    def number(self) -> int:
        """Returns the number of frames that equal, or nearly equal, the one before."""
        changes = np.array(self._changes)
        if not len(changes):
            return 0
        padded = np.concatenate([[np.inf], changes, [np.inf]])
        beside = np.minimum(padded[:-2], padded[2:])  # where motion turns back, all changes are small
        nearly = (changes < _NEARLY * beside) & (beside > _MOVING * np.median(changes))
        return int(np.sum((changes == 0) | nearly))


def _change(frame: np.ndarray, previous: np.ndarray) -> float:
    """Returns the mean change of a pixel on a grid; 0 only if all pixels are equal."""
    if np.array_equal(frame, previous):
        return 0.0
    steps = tuple(slice(None, None, max(1, side // _GRID)) for side in frame.shape[:2])
    return max(float(np.abs(frame[steps].astype(np.int16) - previous[steps]).mean()), 1e-9)
