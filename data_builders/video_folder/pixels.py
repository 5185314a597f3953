"""Numbers that become pixels: their range, and what shows through transparent ones."""

import numpy as np

from data_builders.caller import flag
from data_builders.video_folder.clips import UnreadableError

CHANNELS = (1, 3, 4)  # grey, colours, colours and opacity

_RANGES = ((0, 1), (-1, 1), (0, 255), (0, 1023), (0, 4095), (0, 16383), (0, 65535))  # that cameras and programs write
_ROUNDING = 1e-3  # of a range, by which values may lie outside


def scale_of(array: np.ndarray, wanted: tuple[float, float] | None) -> tuple[float, float]:
    """Returns the values of black and of white.

    Args:
      array: Values of pixels.
      wanted: The range that the user names; None to infer it.

    Raises:
      UnreadableError: If the values are no pixels, or do not lie in the range; it names a range that holds them.
    """
    if array.dtype.kind not in "buif":
        raise UnreadableError(f"values of type {array.dtype} are no pixels")
    low, high = float(array.min()), float(array.max())
    if not np.isfinite([low, high]).all():
        raise UnreadableError(f"values must be finite, found {low:g} to {high:g}")
    kind = "floats" if array.dtype.kind == "f" else "integers"
    if wanted is not None:
        return _within(low, high, wanted, f"values must lie in range={wanted[0]:g},{wanted[1]:g}")
    allowed = (0.0, 1.0) if kind == "floats" or high <= 1 else (0.0, 255.0)  # integers of 0 and 1 are a mask
    return _within(low, high, allowed, f"{kind} must lie in {'[0, 1]' if kind == 'floats' else '0 to 255'}")


def _within(low: float, high: float, allowed: tuple[float, float], rule: str) -> tuple[float, float]:
    margin = _ROUNDING * (allowed[1] - allowed[0])
    if allowed[0] - margin <= low and high <= allowed[1] + margin:
        return allowed
    raise UnreadableError(f"{rule}, found {low:g} to {high:g}; {remedy(low, high)} reads them")


def remedy(low: float, high: float) -> str:
    """Names the flag with the smallest usual range that holds some values, or with the values themselves."""
    holding = [limits for limits in _RANGES if limits[0] <= low and high <= limits[1]]
    black, white = holding[0] if holding else (low, high if high > low else low + 1)
    return flag("range", f"{black:g},{white:g}")


def to_bytes(values: np.ndarray, limits: tuple[float, float]) -> np.ndarray:
    """Scales values from black to white to uint8."""
    if values.dtype == np.uint8 and limits == (0.0, 255.0):
        return values
    black, white = limits
    return np.rint(np.clip((values - black) * (255.0 / (white - black)), 0, 255)).astype(np.uint8)


def deep_to_bytes(values: np.ndarray, wanted: tuple[float, float] | None) -> np.ndarray:
    """Scales the pixels of one picture of more than 8 bits per colour to uint8.

    Floats in [0, 1] need no range. Integers do, since cameras of 12 bits write files of 16.
    """
    if wanted is None and values.dtype.kind != "f":
        low, high = float(values.min()), float(values.max())
        raise UnreadableError(
            f"has more than 8 bits per colour, and which value is white is not known (found {low:g} to {high:g}); "
            f"{remedy(max(low, 0.0), max(high, 1000.0))} reads it"
        )
    return to_bytes(values, scale_of(values, wanted))


def to_colours(pixels: np.ndarray, backdrop: tuple[int, int, int]) -> np.ndarray:
    """Makes RGB of grey pixels, and lays transparent ones over a backdrop.

    Args:
      pixels: uint8, `[height, width, channels]` with 1, 3 or 4 channels.
      backdrop: Red, green and blue of the colour behind.

    Returns:
      RGB pixels, uint8 `[height, width, 3]`.
    """
    if pixels.shape[-1] == 4:
        opacity = pixels[..., 3:] / 255.0
        pixels = np.rint(pixels[..., :3] * opacity + np.asarray(backdrop) * (1 - opacity)).astype(np.uint8)
    return np.ascontiguousarray(np.broadcast_to(pixels, (*pixels.shape[:2], 3)))


def is_transparent(pixels: np.ndarray) -> bool:
    """Returns whether a pixel of uint8 `[height, width, channels]` is not opaque."""
    return pixels.shape[-1] == 4 and bool(pixels[..., 3].min() < 255)
