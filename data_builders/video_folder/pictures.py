"""Reads pictures as films: numbered pictures of a directory, animated GIF, PNG and WebP, stacks of TIFF.

Pillow reads them. Pictures are turned as their Exif data say, and transparent ones are laid over a backdrop.
"""

import functools
import os
import pathlib
from collections.abc import Iterator, Sequence

import numpy as np
from PIL import ExifTags, Image, ImageOps

from data_builders.video_folder import movies, pixels
from data_builders.video_folder.clips import Clip, Reading, UnreadableError
from data_builders.video_folder.series import ENDINGS
from hgn_jax.errors import first_line

_ANIMATED = ("GIF", "PNG", "WEBP", "AVIF")  # formats of Pillow that hold several pictures with times
_FORMATS = (*_ANIMATED, "TIFF", "JPEG", "BMP", "PPM", "JPEG2000", "QOI", "SGI")

_SHORTEST_DELAY = 0.011  # seconds; as browsers do, shorter delays are taken for the one that follows
_DELAY = 0.1
_END_OF_GIF = b";"
_MOST_MISSING = 0.5  # fraction of the numbers in the names of pictures that may be missing from a film


def is_for_pillow(path: pathlib.Path) -> bool:
    """Returns whether a file holds several pictures that Pillow reads, or has the name of a picture and holds one."""
    return number_of_pictures(path) > (path.suffix.lower() not in ENDINGS)


def number_of_pictures(path: str | pathlib.Path) -> int:
    """Returns the number of pictures in a file; 0 if it cannot be read."""
    try:
        with Image.open(path, formats=_FORMATS) as image:
            return 1 if image.format == "MPO" else getattr(image, "n_frames", 1)
    except Exception:  # of various types for a damaged file
        return 0


def read_animation(path: pathlib.Path, reading: Reading) -> tuple[list[Clip], dict[str, str]]:
    """Opens a file with several pictures; see `video_files.read_clips`."""
    with Image.open(path, formats=_FORMATS) as image:
        first = int(getattr(image, "default_image", False))  # the still picture of an animated PNG
        number = 1 if image.format == "MPO" else getattr(image, "n_frames", 1)
        if number - first < 2:
            raise UnreadableError("is a single picture; numbered pictures of a directory are a film: 1.png, 2.png, ...")
        places, is_timed = range(first, number), image.format in _ANIMATED
        is_cut_off = image.format == "GIF" and not _last_bytes(path).rstrip(b"\0").endswith(_END_OF_GIF)
        times = _times(image, places) if is_timed else None
    clip = Clip("", "", lambda: iter(()), times)
    if is_cut_off:
        clip.remark(f"is cut off: {number} pictures are there")
    if not is_timed:
        clip.remark("has no times, so its pictures are taken one by one")
    clip.read = functools.partial(_animation, path, places, reading, clip)
    return [clip], {}


def _times(image: Image.Image, places: Sequence[int]) -> np.ndarray:
    """Returns when the pictures of an animation begin, and when the last one ends, in seconds."""
    delays = []
    for place in places:
        image.seek(place)
        image.load()  # some formats tell the delay now
        delay = image.info.get("duration", 0) / 1000
        delays.append(delay if delay >= _SHORTEST_DELAY else _DELAY)
    return np.concatenate([[0.0], np.cumsum(delays)])


def _last_bytes(path: pathlib.Path, number: int = 64) -> bytes:
    with path.open("rb") as file:
        file.seek(-min(number, path.stat().st_size), os.SEEK_END)
        return file.read()


def _animation(path: pathlib.Path, places: Sequence[int], reading: Reading, clip: Clip) -> Iterator[np.ndarray]:
    with Image.open(path, formats=_FORMATS) as image:
        for place in places:
            image.seek(place)
            yield _frame(image, path, reading, clip, single=False)


def read_series(paths: Sequence[pathlib.Path], numbers: Sequence[int], reading: Reading) -> Clip:
    """Opens numbered pictures as one film.

    Where numbers are missing, the picture before is held, unless pictures are taken one by one.

    Args:
      paths: The pictures in order.
      numbers: Their numbers.
      reading: How they are read.
    """
    clip = Clip("", "", lambda: iter(()))
    clip.remark("numbered pictures have no times, so they are taken one by one")
    differences = np.diff(np.array(numbers, dtype=object))
    step = max(1, int(np.gcd.reduce(differences)))
    held = np.array([*(differences // step), 1], dtype=object)
    missing = int(held.sum()) - len(paths)
    if missing > 0 and reading.timing == "real":
        if missing <= _MOST_MISSING * held.sum():
            clip.remark(f"{missing} of {held.sum()} numbers are missing, and the picture before is held for them")
        else:
            clip.remark("the numbers are uneven, so pictures follow each other as if none were missing")
            held[:] = 1
    elif missing > 0:
        held[:] = 1
    clip.read = functools.partial(_series, paths, held, reading, clip)
    return clip


def _series(paths: Sequence[pathlib.Path], held: Sequence[int], reading: Reading, clip: Clip) -> Iterator[np.ndarray]:
    for path, number in zip(paths, held, strict=True):
        try:
            with Image.open(path, formats=_FORMATS) as image:
                frame = _frame(image, path, reading, clip, single=True)
        except Exception as error:  # of various types for a damaged file
            raise UnreadableError(f"{path.name}: {first_line(error).replace(str(path), path.name)}") from None
        for _ in range(number):
            yield frame


def _frame(image: Image.Image, path: pathlib.Path, reading: Reading, clip: Clip, single: bool) -> np.ndarray:
    """Returns the current picture of a file, upright and in RGB, uint8 `[height, width, 3]`."""
    deep = image.mode in ("RGB", "RGBA") and any(";16" in str(tile.args) for tile in image.tile)
    orientation = image.getexif().get(ExifTags.Base.Orientation, 1)  # Pillow turns TIFF when it loads it
    image.load()
    if orientation != 1:
        clip.remark("is rotated or mirrored as its Exif data say")
    if deep:  # Pillow keeps 8 of its 16 bits
        if not single:
            raise UnreadableError("several pictures of 16 bits per colour in one file are not read")
        frame = _turned(pixels.deep_to_bytes(movies.deep_picture(path), reading.range), orientation)
    else:
        image = ImageOps.exif_transpose(image)
        frame = _channels(image, reading)
    if pixels.is_transparent(frame):
        clip.remark("is transparent, over a backdrop of " + ",".join(map(str, reading.backdrop)))
    return pixels.to_colours(frame, reading.backdrop)


def _channels(image: Image.Image, reading: Reading) -> np.ndarray:
    """Returns the pixels of a picture, uint8 `[height, width, channels]`."""
    if image.mode.startswith(("I", "F")):
        return pixels.deep_to_bytes(np.asarray(image)[..., None], reading.range)
    return np.asarray(image.convert("RGBA" if image.has_transparency_data else "RGB"))


def _turned(values: np.ndarray, orientation: int) -> np.ndarray:
    """Turns pixels as the orientation of Exif says."""
    image = Image.fromarray(values)
    image.getexif()[ExifTags.Base.Orientation] = orientation
    return np.asarray(ImageOps.exif_transpose(image))
