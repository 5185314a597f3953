"""Finds the numbered pictures of a directory that make a film together."""

import collections
import pathlib
import re
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

ENDINGS = frozenset(".png .jpg .jpeg .gif .tif .tiff .bmp .webp .ppm .pgm .pnm .jp2 .avif .qoi .sgi".split())


class Series(NamedTuple):
    """Numbered pictures.

    Attributes:
      name: Their common path, with `*` in the place of the number.
      files: Their paths, in the order of the numbers.
      numbers: The numbers, ascending; positions in the order where several numbers change from name to name.
    """

    name: str
    files: tuple[str, ...]
    numbers: tuple[int, ...]


def find(names: Iterable[str]) -> list[Series]:
    """Groups paths of pictures whose names differ in a number only.

    Where names differ in several numbers, as `t1_cam2.png` does from `t2_cam1.png`, the one with most values counts the
    frames and the others tell films apart, if that leaves no frame out; otherwise all are one film in the order of the
    numbers.

    Args:
      names: POSIX paths.

    Returns:
      The groups of two pictures or more, sorted by name.
    """
    alike = collections.defaultdict(list)
    for name in names:
        directory, _, file = name.rpartition("/")
        stem, ending = pathlib.PurePosixPath(file).stem, pathlib.PurePosixPath(file).suffix
        texts = re.split(r"(\d+)", stem)
        if ending.lower() in ENDINGS and len(texts) > 1:
            alike[directory, *texts[::2], ending].append((tuple(map(int, texts[1::2])), name))
    groups = (sorted(group) for group in alike.values() if len(group) > 1)
    return sorted(series for group in groups for series in _films(group))


def _films(group: list[tuple[tuple[int, ...], str]]) -> list[Series]:
    values = np.array([numbers for numbers, _ in group], dtype=object)
    distinct = [len(set(column)) for column in values.T]
    place = max(range(len(distinct)), key=lambda place: (distinct[place], place))
    films = collections.defaultdict(list)
    for numbers, name in group:
        films[numbers[:place] + numbers[place + 1 :]].append((numbers[place], name))
    if len(films) > 1 and not all(_is_even([number for number, _ in film]) for film in films.values()):
        return [Series(_pattern(group[0][1], place), tuple(name for _, name in group), tuple(range(len(group))))]
    return [_series(film, place) for film in films.values()]


def _series(film: list[tuple[int, str]], place: int) -> Series:
    numbers, names = zip(*sorted(film), strict=True)
    return Series(_pattern(names[0], place), names, numbers)


def _is_even(numbers: list[int]) -> bool:
    return len(numbers) > 1 and len(set(np.diff(sorted(numbers)))) == 1


def _pattern(name: str, place: int) -> str:
    """Replaces a number of a file's name by `*`."""
    directory, slash, file = name.rpartition("/")
    path = pathlib.PurePosixPath(file)
    texts = re.split(r"(\d+)", path.stem)
    texts[2 * place + 1] = "*"
    return directory + slash + "".join(texts) + path.suffix
