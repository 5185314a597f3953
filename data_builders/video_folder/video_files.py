"""Lists the films of a directory, identifies them, and opens each with the reader that knows its kind."""

import functools
import hashlib
import os
import pathlib
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from PIL import Image

from data_builders.video_folder import arrays, motion, movies, pictures, series
from data_builders.video_folder.clips import Clip, Reading, UnreadableError
from hgn_jax.training.progress import progress_bar

__all__ = ["FITS", "Clip", "Reading", "UnreadableError", "Unit", "find_units", "fingerprint", "is_hidden", "list_files"]
__all__ += ["read_clips", "read_unit", "resize"]

FITS = ("stretch", "crop", "motion")

_BYTES_BEFORE_PROGRESS = 10**9  # smaller directories take about a second to read
_ARRAYS = {".npy": arrays.read_array, ".npz": arrays.read_archive}
_AS_USUAL = Reading()


class Unit(NamedTuple):
    """A file, or numbered pictures that are one film.

    Attributes:
      name: Path of the file; the common path of pictures, with `*` in the place of the number.
      files: Its files.
      numbers: Numbers of the pictures; empty for a file.
    """

    name: str
    files: tuple[str, ...]
    numbers: tuple[int, ...] = ()


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


def find_units(source: str | os.PathLike[str], names: Iterable[str]) -> list[Unit]:
    """Groups the files of a directory into films.

    Args:
      source: The directory.
      names: Paths of files, relative to it.

    Returns:
      A unit for each group of numbered pictures, unless these are films themselves, such as stacks of TIFF, and one for
      each other file; sorted by name.
    """
    names = list(names)
    groups = series.find(name for name in names if not is_hidden(name) and os.path.isfile(os.path.join(source, name)))
    groups = [group for group in groups if all(_is_single(pathlib.Path(source, file)) for file in group.files)]
    grouped = {file for group in groups for file in group.files}
    return sorted([Unit(*group) for group in groups] + [Unit(name, (name,)) for name in names if name not in grouped])


def _is_single(path: pathlib.Path) -> bool:
    return pictures.number_of_pictures(path) < 2


def read_unit(
    source: str | os.PathLike[str], unit: Unit, reading: Reading = _AS_USUAL
) -> tuple[list[Clip], dict[str, str]]:
    """Opens a unit of a directory; as `read_clips`."""
    if unit.numbers:
        return [pictures.read_series([pathlib.Path(source, file) for file in unit.files], unit.numbers, reading)], {}
    return read_clips(pathlib.Path(source, unit.name), reading)


def read_clips(path: str | os.PathLike[str], reading: Reading = _AS_USUAL) -> tuple[list[Clip], dict[str, str]]:
    """Opens a film: a file, or a directory of numbered pictures.

    The kind of a file is known by its content, but for arrays, which are known by their ending.

    Args:
      path: Path of the file or directory.
      reading: How it is read.

    Returns:
      Its clips, and by name the reason for each of its arrays that is not a film.

    Raises:
      UnreadableError: If it holds no film.
      Exception: The error of its reader, of any type, for a damaged file.
    """
    path = pathlib.Path(path)
    if path.is_dir():
        return _read_directory(path, reading)
    if not path.is_file():
        raise UnreadableError("is not a file")
    suffix = path.suffix.lower()
    if path.stat().st_size == 0:
        raise UnreadableError("is empty")
    if suffix in _ARRAYS:
        clips, reasons = _ARRAYS[suffix](path, reading)
    else:
        read = pictures.read_animation if pictures.is_for_pillow(path) else movies.read_movie
        clips, reasons = read(path, reading)
    if reading.timing == "frames":
        for clip in clips:
            clip.times = None
    return clips, reasons


def _read_directory(path: pathlib.Path, reading: Reading) -> tuple[list[Clip], dict[str, str]]:
    units = [unit for unit in find_units(path, (file.name for file in path.iterdir())) if unit.numbers]
    if not units:
        raise UnreadableError("is a directory without numbered pictures")
    clips = []
    for unit in units:
        [clip], _ = read_unit(path, unit, reading)
        clip.name = unit.name if len(units) > 1 else ""
        clips.append(clip)
    return clips, {}


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
