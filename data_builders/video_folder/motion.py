"""Finds the part of the picture in which things move, in all videos of a data set together."""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from PIL import Image

_GRID = 64  # cells along a side, on which changes are looked for
_SMALLEST_CHANGE = 0.06  # of the brightness of a cell during a video, in units of the full range, that is motion
_NOISE_FACTOR = 4.0  # smallest ratio of a change by motion to the change of a still cell, whose noise it is
_STILL = 0.2  # fraction of the cells that are taken to be still
_MARGIN = 0.05  # on each side, as a fraction of the part in which things move


class Box(NamedTuple):
    """A rectangle of the picture. Its edges are fractions of the width and of the height, from the upper left."""

    left: float
    top: float
    right: float
    bottom: float


def changes(frames: Iterable[np.ndarray]) -> tuple[np.ndarray, int]:
    """Measures how much each cell of a grid changes during a video.

    Args:
      frames: Frames, uint8 `[height, width, 3]`.

    Returns:
      The largest difference between two frames, over colours, `[grid, grid]` from 0 to 1; and the number of frames.
    """
    lowest, highest, number = np.float32(255.0), np.float32(0.0), 0
    for frame in frames:
        image = Image.fromarray(frame).resize((_GRID, _GRID), Image.Resampling.BOX, reducing_gap=2.0)
        cells = np.asarray(image, np.float32)
        lowest, highest, number = np.minimum(lowest, cells), np.maximum(highest, cells), number + 1
    if not number:
        return np.zeros((_GRID, _GRID)), 0
    return (highest - lowest).max(axis=-1) / 255.0, number


def moving_part(changes_of_videos: Iterable[np.ndarray]) -> Box | None:
    """Finds the smallest rectangle with a margin that holds all motion of some videos.

    A cell counts as moving in a video if it changes several times as much as the stillest cells do.

    Args:
      changes_of_videos: The changes of each video, `[grid, grid]`.

    Returns:
      The rectangle; None if nothing moves.
    """
    moving = np.zeros((_GRID, _GRID), bool)
    for change in changes_of_videos:
        noise = _NOISE_FACTOR * np.quantile(change, _STILL)
        moving |= change > max(_SMALLEST_CHANGE, min(noise, 0.5 * change.max()))
    if not moving.any():
        return None
    rows, columns = (np.flatnonzero(moving.any(axis=axis)) for axis in (1, 0))
    edges = []
    for cells in (columns, rows):
        margin = max(1.0, _MARGIN * (cells[-1] + 1 - cells[0]))
        edges.append((max(0.0, cells[0] - margin) / _GRID, min(float(_GRID), cells[-1] + 1 + margin) / _GRID))
    (left, right), (top, bottom) = edges
    return Box(left, top, right, bottom)


def square_around(box: Box, height: int, width: int) -> tuple[float, float, float, float]:
    """Returns the smallest square in the picture that holds a rectangle, in pixels: left, top, right, bottom.

    Where the picture is too narrow for a square, the rectangle is as wide as the picture.
    """
    side = max((box.right - box.left) * width, (box.bottom - box.top) * height)
    edges = []
    for low, high, length in ((box.left, box.right, width), (box.top, box.bottom, height)):
        extent = min(side, length)
        begin = min(max(0.5 * (low + high) * length - 0.5 * extent, 0.0), length - extent)
        edges.append((begin, begin + extent))
    (left, right), (top, bottom) = edges
    return left, top, right, bottom
