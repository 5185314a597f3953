"""Real time: frames of uneven duration are taken at a constant rate, so that a rest lasts as long as it lasted."""

import math
from collections.abc import Iterable, Iterator

import numpy as np

_SHORT = 0.1  # quantile of the intervals that is the first estimate of the typical one; single glitches are shorter
_REFINEMENTS = 3
_TOLERANCE = 1e-6  # of an interval, by which a time may be rounded


def typical_interval(times: np.ndarray) -> float:
    """Estimates the time from one frame to the next, where frames may be missing.

    The intervals between frames are taken to be whole multiples of the typical one, up to jitter and rounding.

    Args:
      times: Times at which frames begin, and at which the last one ends, `[frames + 1]`, in ascending order.

    Returns:
      The interval, in the unit of the times; 1 if no time passes.
    """
    intervals = np.diff(
        times if len(times) == 2 else times[:-1]
    )  # many programs do not know how long the last one lasts
    intervals = intervals[intervals > 0]
    if not len(intervals):
        return 1.0
    typical = float(np.quantile(intervals, _SHORT, method="lower"))
    for _ in range(_REFINEMENTS):
        multiples = np.maximum(np.rint(intervals / typical), 1)
        typical = float(intervals.sum() / multiples.sum())
    return typical


def repetitions(times: np.ndarray, rate: float | None = None) -> np.ndarray:
    """Counts how often each frame is taken at a constant rate.

    Each time of the constant rate takes the last frame that has begun, where frames may come late by half an interval.

    Args:
      times: Times at which frames begin, and at which the last one ends, in seconds, `[frames + 1]`, ascending.
      rate: Number of frames to take per second; None for the film's own rate.

    Returns:
      The number of times that each frame is taken, 0 for a frame that is skipped, `[frames]`.
    """
    own = typical_interval(times)
    interval = own if rate is None else 1.0 / rate
    slack = (0.5 - _TOLERANCE) * min(own, interval)
    number = max(1, math.ceil((times[-1] - times[0] - slack) / interval))
    wanted = times[0] + interval * np.arange(number)
    chosen = np.searchsorted(times[:-1], wanted + slack, side="right") - 1
    return np.bincount(chosen, minlength=len(times) - 1)


def repeated(frames: Iterable[np.ndarray], numbers: Iterable[int]) -> Iterator[np.ndarray]:
    """Yields each frame as often as its number says."""
    for frame, number in zip(frames, numbers, strict=False):  # a damaged film may end early
        for _ in range(number):
            yield frame
