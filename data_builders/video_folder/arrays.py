"""Reads the arrays of `.npy` and `.npz` files as clips.

An array is `[T, H, W]` (grey), `[T, H, W, C]`, or many clips: `[N, T, H, W]` or `[N, T, H, W, C]`, with C = 1, 3 or 4
colours last; any other order of the axes has to be named. An order that does not fit the array's shape, or that makes
films jump where another order would not, is refused with the flag that reads it.
"""

import functools
import pathlib
from collections.abc import Iterator

import numpy as np

from data_builders.caller import flag
from data_builders.video_folder import pixels
from data_builders.video_folder.clips import Clip, Reading, UnreadableError

AXES = "NTHWC"  # clips, time, height, width, colours

_USUAL = {False: {3: "THW", 4: "NTHW"}, True: {4: "THWC", 5: "NTHWC"}}  # with colours last or not, by number of axes
# By the number of axes and the place of the colours.
_COLOURS_ELSEWHERE = {(4, 1): "TCHW", (4, 2): "HWCT", (5, 0): "CNTHW", (5, 1): "NCTHW", (5, 2): "NTCHW"}

_PROBE = (16, 48, 32)  # largest number of clips, of frames, and of pixels along a side in the check for jumps
_JUMPING, _SMOOTH = 0.7, 0.35  # von Neumann ratio of frames in random order, nearly, and of a film in order
_SQUARE = 8  # smallest side of a frame for which two equal axes are taken as a hint
_SAME_MOTION = 0.9  # correlation of the motion in two clips that may be two colours of one


def read_array(path: pathlib.Path, reading: Reading) -> tuple[list[Clip], dict[str, str]]:
    """Opens a `.npy` file; see `video_files.read_clips`."""
    return _clips(path, "", reading), {}


def read_archive(path: pathlib.Path, reading: Reading) -> tuple[list[Clip], dict[str, str]]:
    """Opens a `.npz` file; see `video_files.read_clips`."""
    clips, reasons = [], {}
    try:
        with np.load(path, allow_pickle=False) as archive:
            names = archive.files
    except ValueError:  # NumPy takes what is no archive for a pickle
        raise UnreadableError("is no archive of arrays, or it is damaged") from None
    for name in names:
        try:
            clips += _clips(path, name, reading)
        except ValueError as error:  # also numpy's, of arrays of objects
            reasons[name] = str(error)
    return clips, reasons


@functools.lru_cache(maxsize=1)
def _load(path: pathlib.Path, name: str) -> np.ndarray:
    try:
        if not name:
            return np.load(path, mmap_mode="r", allow_pickle=False)
        with np.load(path, allow_pickle=False) as archive:
            return archive[name]
    except ValueError as error:
        if "pickle" in str(error):  # NumPy would advise to unpickle, which runs what others wrote
            raise UnreadableError("holds no plain numbers but Python objects, or is no array at all") from None
        raise


def _clips(path: pathlib.Path, name: str, reading: Reading) -> list[Clip]:
    """Returns the clips of an array; raises UnreadableError if it is not a film."""
    array = _load(path, name)
    axes = order_of_axes(array, reading.axes)
    limits = pixels.scale_of(array, reading.range)
    clips = _five_axes(array, axes)
    number, length, height, width, channels = clips.shape
    several = number > 1
    size = f"{number} clips of {length} frames" if several else f"{length} frames"
    colours = {1: "grey", 3: "in colour", 4: "with opacity"}[channels]
    remark = f"axes={axes}: {size}, {height}x{width}, {colours}, {limits[0]:g} is black and {limits[1]:g} white"
    if channels == 4:
        remark += ", over a backdrop of " + ",".join(map(str, reading.backdrop))
    return [
        Clip(name, f"[{i}]" if several else "", functools.partial(_frames, path, name, axes, i, limits, reading), None,
             [remark])
        for i in range(number)
    ]  # fmt: skip


def _frames(
    path: pathlib.Path, name: str, axes: str, number: int, limits: tuple[float, float], reading: Reading
) -> Iterator[np.ndarray]:
    for frame in _five_axes(_load(path, name), axes)[number]:
        yield pixels.to_colours(pixels.to_bytes(frame, limits), reading.backdrop)


def _five_axes(array: np.ndarray, axes: str) -> np.ndarray:
    """Returns a view `[clips, time, height, width, colours]`."""
    present = [axis for axis in AXES if axis in axes]
    view = array.transpose([axes.index(axis) for axis in present])
    return np.expand_dims(view, [place for place, axis in enumerate(AXES) if axis not in axes])


def order_of_axes(array: np.ndarray, named: str = "") -> str:
    """Returns the order of an array's axes, of the letters N, T, H, W, C: clips, time, height, width, colours.

    Args:
      array: The array.
      named: The order that the user names. It holds for arrays with this number of axes.

    Raises:
      UnreadableError: If the order does not fit the shape, or cannot be inferred; it names orders that would.
    """
    shape = array.shape
    if 0 in shape:
        raise UnreadableError(f"is empty, of shape {shape}")
    if len(named) == array.ndim:
        if "C" in named and shape[named.index("C")] not in pixels.CHANNELS:
            number = shape[named.index("C")]
            raise UnreadableError(f"axes={named} takes {number} of shape {shape} for colours, which are 1, 3 or 4")
        return named
    colours_last = shape[-1] in pixels.CHANNELS
    axes = _USUAL[colours_last].get(array.ndim)
    if axes is None or (not colours_last and array.ndim == 4 and {shape[1], shape[2]} & set(pixels.CHANNELS)):
        raise UnreadableError(_neither(array))
    other = _other_order(axes, array)
    if other:
        reason, better = other
        raise UnreadableError(
            f"shape {shape} could be {better} or {axes}: {reason}; {flag('axes', better)} reads it as the former, "
            f"{flag('axes', axes)} as the latter"
        )
    return axes


def _neither(array: np.ndarray) -> str:
    """Returns the reason why an array without colours last is refused."""
    shape = array.shape
    text = f"shape {shape} is neither [T, H, W], [T, H, W, C], [N, T, H, W] nor [N, T, H, W, C] with C = 1, 3 or 4"
    orders = [axes for (ndim, place), axes in _COLOURS_ELSEWHERE.items() if ndim == len(shape)
              and shape[place] in pixels.CHANNELS]  # fmt: skip
    orders = [_swapped(axes) if _jumps(axes, array) else axes for axes in orders]
    return f"{text}; {' or '.join(flag('axes', axes) for axes in orders)} reads it" if orders else text


def _other_order(axes: str, array: np.ndarray) -> tuple[str, str] | None:
    """Returns why the usual order of axes may be wrong, and the order that is more likely; None if nothing says so."""
    shape = dict(zip(axes, array.shape, strict=True))
    first, second, *_ = array.shape
    if shape["H"] != shape["W"] and first == second >= _SQUARE:
        square = "HW" + ("TN" if "N" in axes else "T") + ("C" if "C" in axes else "")
        return f"frames would be {shape['H']}x{shape['W']}, and the first two axes make squares", square
    jumps = _jumps(axes, array)
    if jumps:
        return jumps, _swapped(axes)
    if axes == "NTHW" and shape["N"] in pixels.CHANNELS[1:] and _move_alike(_probe(array, axes)):
        return f"its {shape['N']} clips move alike, as the colours of one", "CTHW"
    return None


def _swapped(axes: str) -> str:
    return axes.translate(str.maketrans("NT", "TN"))


def _jumps(axes: str, array: np.ndarray) -> str:
    """Compares the changes from frame to frame with those from clip to clip.

    Returns:
      The reason why clips and time must have been mistaken for each other; empty if they have not, or nothing tells.
    """
    shape = dict(zip(axes, array.shape, strict=True))
    if shape.get("N", 1) < 2 or shape["T"] < 2:
        return ""
    probe = _probe(array, axes)
    along_time, along_clips = (_roughness(probe, axis) for axis in (1, 0))
    if not (along_time > _JUMPING and along_clips < _SMOOTH):
        return ""
    return (
        f"from frame to frame it would jump, by {along_time:.2f} of the change between any two frames, but only by "
        f"{along_clips:.2f} from clip to clip"
    )


def _probe(array: np.ndarray, axes: str) -> np.ndarray:
    """Returns some clips, frames and pixels, float32 `[clips, time, pixels]`."""
    clips = _five_axes(array, axes)
    steps = [max(1, -(-side // _PROBE[2])) for side in clips.shape[2:4]]
    part = clips[: _PROBE[0], : _PROBE[1], :: steps[0], :: steps[1]].astype(np.float32)
    return part.reshape(*part.shape[:2], -1)


def _roughness(values: np.ndarray, axis: int) -> float:
    """Returns von Neumann's ratio: the mean square of successive changes, in units of that of any two.

    It is 1 on average for a random order, near 0 for a smooth one, and 1/2 by convention where nothing changes.
    """
    variance = float(values.var(axis=axis, ddof=1).sum())
    return float(np.square(np.diff(values, axis=axis)).mean(axis=axis).sum()) / (2 * variance) if variance else 0.5


def _move_alike(probe: np.ndarray) -> bool:
    """Returns whether the same pixels change at the same times in all clips."""
    changes = np.abs(np.diff(probe, axis=1)).reshape(len(probe), -1)
    if not changes.std(axis=1).all():
        return False
    return bool(np.corrcoef(changes).min() > _SAME_MOTION)
