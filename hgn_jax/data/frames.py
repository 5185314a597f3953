"""Checks arrays of frames that a user brings."""

import os
import pathlib
from typing import Any

import numpy as np

from hgn_jax.errors import first_line

_ROUNDING = 1e-3  # tolerance of floats outside [0, 1]


def as_frames(array: Any, image_size: int | None = None) -> np.ndarray:
    """Returns films as the models take them.

    Args:
      array: Films `[clips, time, size, size, 3]`, or one film `[time, size, size, 3]`: whole numbers from 0 to 255,
        floats in [0, 1], or masks of 0 and 1.
      image_size: Number of pixels along a side; None for any.

    Returns:
      `[clips, time, size, size, 3]`, uint8, or float32 in [0, 1].

    Raises:
      ValueError: In one line, for any other shape, type or range.
    """
    frames = np.asarray(array)
    shape = frames.shape
    if frames.ndim == 4:
        frames = frames[None]
    if frames.ndim != 5 or frames.shape[-1] != 3 or frames.shape[2] != frames.shape[3] or not frames.size:
        raise ValueError(
            f"frames must be [clips, time, size, size, 3] or [time, size, size, 3], got shape {shape}; "
            "data_builders.films.read_film makes them so"
        )
    if image_size is not None and frames.shape[2] != image_size:
        raise ValueError(
            f"the model takes frames of {image_size}x{image_size} pixels, got shape {shape}; "
            "data_builders.films.read_film resizes them"
        )
    if frames.dtype.kind not in "buif":
        raise ValueError(f"frames must be numbers, got {frames.dtype}")
    low, high = float(frames.min()), float(frames.max())
    if frames.dtype.kind == "f":
        if not -_ROUNDING <= low <= high <= 1.0 + _ROUNDING:  # NaN too
            raise ValueError(f"frames of floats must lie in [0, 1], found {low:g} to {high:g}; divide them by white")
        return np.clip(frames, 0.0, 1.0).astype(np.float32)
    if not 0 <= low <= high <= 255:
        raise ValueError(f"frames of whole numbers must lie in 0 to 255, found {low:g} to {high:g}")
    return frames.astype(np.float32 if high <= 1 else np.uint8)  # a mask, or an image


def read_array(path: str | os.PathLike[str]) -> np.ndarray:
    """Reads the array of a `.npy` file; raises ValueError, in one line, if it is none."""
    path = pathlib.Path(path).expanduser()
    if path.suffix != ".npy":
        raise ValueError(f"{path} is no .npy file: data_builders.films.read_film reads films of other kinds")
    try:
        return np.load(path, allow_pickle=False)
    except (ValueError, OSError, EOFError) as error:
        raise ValueError(f"cannot read {path}: {first_line(error)}") from None
