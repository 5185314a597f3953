"""Reads the video files of a directory as clips of square RGB frames.

`_READERS` lists the supported types of files. An array is `[T, H, W]` (grey), `[T, H, W, C]`, or many clips:
`[N, T, H, W]` or `[N, T, H, W, C]`, with C = 1, 3 or 4 colours last. Its values are integers from 0 to 255, floats in
[0, 1], or 0 and 1 of any type. An alpha channel is composited over black.
"""

import functools
import hashlib
import os
import pathlib
from collections.abc import Callable, Iterator
from typing import NamedTuple

import imageio.v3 as imageio
import numpy as np
from PIL import Image

from data_builders.video_folder import motion
from hgn_jax.training.progress import progress_bar

FITS = ("stretch", "crop", "motion")

_CHANNELS = (1, 3, 4)
_BYTES_BEFORE_PROGRESS = 10**9  # smaller directories take about a second to read
_ROUNDING = 1e-3  # tolerance of float pixels outside [0, 1]


class UnreadableError(ValueError):
    """A file, or an array in it, cannot be used as a video; the message is the reason, in one line."""


class Clip(NamedTuple):
    """One video.

    Attributes:
      name: Name of its array, if the file is an archive of arrays; else empty.
      place: Index in an array of several clips, `[0]`, `[1]`, ...; else empty.
      frames: Iterator over the frames, uint8 `[height, width, 3]`; raises the reader's errors if the file is damaged.
    """

    name: str
    place: str
    frames: Iterator[np.ndarray]


def list_files(source: str | os.PathLike[str]) -> list[str]:
    """Lists the files below a directory, with hidden ones and links to directories, as sorted relative POSIX paths."""
    source = pathlib.Path(source)
    names = []
    for directory, subdirectories, files in os.walk(source, onerror=_raise):
        links = [name for name in subdirectories if os.path.islink(os.path.join(directory, name))]
        names += [(pathlib.Path(directory) / name).relative_to(source).as_posix() for name in (*files, *links)]
    return sorted(names)


def _raise(error: OSError) -> None:
    raise error


def is_hidden(name: str) -> bool:
    """Returns whether a part of a relative path begins with a dot."""
    return any(part.startswith(".") for part in name.split("/"))


def fingerprint(source: str | os.PathLike[str]) -> str:
    """Computes a digest, 16 hexadecimal digits, of the names and contents of the files below a directory.

    Hidden files do not count. Files that cannot be read are represented by their error.
    """
    names = [name for name in list_files(source) if not is_hidden(name)]
    paths = {name: os.path.join(source, name) for name in names if os.path.isfile(os.path.join(source, name))}
    sizes = {name: os.path.getsize(path) for name, path in paths.items()}
    total, quiet = hashlib.sha256(), sum(sizes.values()) < _BYTES_BEFORE_PROGRESS
    with progress_bar(sum(sizes.values()) // 10**6, "looking for changes", "MB", quiet=quiet) as bar:
        for name, path in paths.items():
            digest = _digest(path, sizes[name], os.stat(path).st_mtime_ns)
            total.update(f"{name}\0{digest}\0".encode("utf-8", "surrogateescape"))
            bar.update(sizes[name] // 10**6)
    return total.hexdigest()[:16]


@functools.cache
def _digest(path: str, size: int, changed: int) -> str:
    """Computes the digest of a file's content, cached for its size and the time of its last change."""
    del size, changed
    try:
        with open(path, "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        return str(error.strerror)


def read_clips(path: str | os.PathLike[str]) -> tuple[list[Clip], dict[str, str]]:
    """Opens a video file.

    Args:
      path: Path of the file.

    Returns:
      Its clips, and by name the reason for each of its arrays that is not a video.

    Raises:
      UnreadableError: If its type is unknown, or it holds no video.
      Exception: The error of its reader, of any type, for a damaged file.
    """
    path = pathlib.Path(path)
    if not path.is_file():
        raise UnreadableError("is not a file")
    suffix = path.suffix.lower()
    if suffix not in _READERS:
        raise UnreadableError(f"files of type {suffix or 'unknown'} are not read, but {', '.join(_READERS)}")
    if path.stat().st_size == 0:
        raise UnreadableError("is empty")
    return _READERS[suffix](path)


def _read_array(path: pathlib.Path) -> tuple[list[Clip], dict[str, str]]:
    return _array_clips("", np.load(path, mmap_mode="r", allow_pickle=False)), {}


def _read_archive(path: pathlib.Path) -> tuple[list[Clip], dict[str, str]]:
    clips, reasons = [], {}
    with np.load(path, allow_pickle=False) as archive:
        for name in archive.files:
            try:
                clips += _array_clips(name, archive[name])
            except ValueError as error:  # also numpy's, of arrays of objects
                reasons[name] = str(error)
    return clips, reasons


def _read_gif(path: pathlib.Path) -> tuple[list[Clip], dict[str, str]]:
    return [Clip("", "", imageio.imiter(path, plugin="pillow", mode="RGB"))], {}


def _read_movie(path: pathlib.Path) -> tuple[list[Clip], dict[str, str]]:
    return [Clip("", "", imageio.imiter(path, plugin="pyav", format="rgb24", thread_type="AUTO"))], {}


_READERS: dict[str, Callable[[pathlib.Path], tuple[list[Clip], dict[str, str]]]] = {
    ".npz": _read_archive,
    ".npy": _read_array,
    ".gif": _read_gif,
    ".mp4": _read_movie,
    ".mov": _read_movie,
    ".mkv": _read_movie,
    ".avi": _read_movie,
    ".webm": _read_movie,
}


def _array_clips(name: str, array: np.ndarray) -> list[Clip]:
    """Returns the clips of an array; raises UnreadableError if it is not a video."""
    clips = _five_axes(array)
    scale = _scale(array)
    several = len(clips) > 1
    return [Clip(name, f"[{i}]" if several else "", _frames(clip, scale)) for i, clip in enumerate(clips)]


def _five_axes(array: np.ndarray) -> np.ndarray:
    """Returns a view `[clips, time, height, width, colours]`."""
    shape = array.shape
    if 0 in shape:
        raise UnreadableError(f"is empty, of shape {shape}")
    if array.ndim == 3 and shape[-1] not in _CHANNELS:
        return array[None, ..., None]
    if array.ndim == 4 and shape[-1] in _CHANNELS:
        return array[None]
    if array.ndim == 4 and shape[-3] not in _CHANNELS:
        return array[..., None]
    if array.ndim == 5 and shape[-1] in _CHANNELS:
        return array
    wanted = "[T, H, W], [T, H, W, C], [N, T, H, W] nor [N, T, H, W, C] with C = 1, 3 or 4"
    raise UnreadableError(f"shape {shape} is neither {wanted}")


def _scale(array: np.ndarray) -> float:
    """Returns the factor that scales the values to 0 to 255; raises UnreadableError for values that are not pixels."""
    if array.dtype.kind not in "buif":
        raise UnreadableError(f"values of type {array.dtype} are no pixels")
    low, high = float(array.min()), float(array.max())
    if array.dtype.kind == "f":
        if not (-_ROUNDING <= low and high <= 1 + _ROUNDING):  # refuses NaN too
            raise UnreadableError(f"floats must lie in [0, 1], found {low:g} to {high:g}")
        return 255.0
    if low < 0 or high > 255:
        raise UnreadableError(f"integers must lie in 0 to 255, found {low:g} to {high:g}")
    return 255.0 if high <= 1 else 1.0  # a mask of 0 and 1


def _frames(clip: np.ndarray, scale: float) -> Iterator[np.ndarray]:
    for frame in clip:
        pixels = frame if frame.dtype == np.uint8 and scale == 1.0 else np.rint(np.clip(frame * scale, 0, 255))
        if pixels.shape[-1] == 4:
            pixels = np.rint(pixels[..., :3] * (pixels[..., 3:] / 255.0))
        yield np.ascontiguousarray(np.broadcast_to(pixels, (*pixels.shape[:2], 3)), dtype=np.uint8)


def resize(frame: np.ndarray, size: int, fit: str, moving: motion.Box | None = None) -> np.ndarray:
    """Resamples a frame to a square, bicubic and without aliasing.

    Args:
      frame: Frame, uint8 `[height, width, 3]`.
      size: Number of pixels along a side of the result.
      fit: `stretch` for the whole frame, `crop` for the largest square from its middle, or `motion` for the square
        around the part in which things move.
      moving: That part, for `motion`.

    Returns:
      The square frame, uint8 `[size, size, 3]`.
    """
    height, width = frame.shape[:2]
    box = (0.0, 0.0, width, height)
    if fit == "motion":
        box = motion.square_around(moving, height, width)
    elif (height, width) == (size, size):
        return frame
    elif fit == "crop":
        side = min(height, width)
        box = ((width - side) / 2, (height - side) / 2, (width + side) / 2, (height + side) / 2)
    image = Image.fromarray(frame).resize((size, size), Image.Resampling.BICUBIC, box, reducing_gap=3.0)
    return np.asarray(image)
