"""Cells of text as numbers, in whatever way a country, a spreadsheet or a program writes them.

A table has one way of writing numbers. Where its cells allow two that differ in value, it is refused.
"""

import functools
import re
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

# Cells without a value: the markers that pandas knows, and those of Stata and of the UCI repository.
MISSING = frozenset(
    "NA N/A n/a na NaN nan -NaN -nan NULL Null null None none <NA> #N/A #NA -1.#IND 1.#IND -1.#QNAN 1.#QNAN".split()
    + ["", "#N/A N/A", "?", ".", "-", "--"]
)
_EXPONENT = "([eE][+-]?[0-9]+)?"
_INFINITY = "[+-]?(inf|Inf|INF|infinity|Infinity)"
_THOUSANDS = {",": "','", ".": "'.'", " ": "spaces", "'": "apostrophes", "_": "'_'"}
# A typographic minus, fixed and narrow spaces and a typographic apostrophe mean the same as the simpler character.
_SAME = str.maketrans({"\u2212": "-", "\u00a0": " ", "\u202f": " ", "\u2009": " ", "\u2019": "'"})


class Notation(NamedTuple):
    """A way of writing numbers.

    Attributes:
      decimal: Decimal mark.
      thousands: Mark between groups of three digits; empty for none.
    """

    decimal: str
    thousands: str = ""

    def describe(self) -> str:
        """Describes what is unusual; empty for plain numbers."""
        parts = [f"'{self.decimal}' as the decimal mark"] if self.decimal != "." else []
        parts += [f"{_THOUSANDS[self.thousands]} between thousands"] if self.thousands else []
        return " and ".join(parts)


PLAIN = Notation(".")
# From the simplest on.
NOTATIONS = (PLAIN, Notation(","), *(Notation(d, t) for t in _THOUSANDS for d in ".," if d != t))


@functools.cache
def _pattern(notation: Notation) -> re.Pattern[str]:
    mark, whole = re.escape(notation.decimal), "[0-9]+"
    if notation.thousands:
        whole = f"([0-9]+|[0-9]{{1,3}}({re.escape(notation.thousands)}[0-9]{{3}})+)"
    return re.compile(f"[+-]?({whole}({mark}[0-9]*)?|{mark}[0-9]+){_EXPONENT}|{_INFINITY}")


def as_number(cell: str, notation: Notation = PLAIN) -> float | None:
    """Returns the number that a cell holds in a notation; None if it holds none."""
    if not cell.isascii():
        cell = cell.translate(_SAME)
    if not _pattern(notation).fullmatch(cell):
        return None
    return float(cell.replace(notation.thousands, "").replace(notation.decimal, "."))


@functools.lru_cache(maxsize=1 << 16)
def looks_like_number(cell: str) -> bool:
    """Whether a cell is a number in any notation."""
    return any(as_number(cell, notation) is not None for notation in NOTATIONS)


def find_notation(cells: Iterable[str], decimal: str = "auto") -> Notation:
    """Finds the notation of the cells that look like numbers.

    Args:
      cells: The cells.
      decimal: Decimal mark, `.` or `,`; or `auto`.

    Raises:
      ValueError: If no notation fits all of them, or several that differ in value. Where plain numbers fit, they are
        taken: 1.234 in a table without other marks is a fraction.
    """
    cells = list(cells)
    allowed = [notation for notation in NOTATIONS if decimal in ("auto", notation.decimal)]
    if PLAIN in allowed and not any(looks_like_number(cell) for cell in cells if as_number(cell) is None):
        return PLAIN
    numbers = [cell for cell in cells if looks_like_number(cell)]
    fitting = [n for n in allowed if all(as_number(cell, n) is not None for cell in numbers)]
    if not fitting:
        odd = [next(c for c in numbers if as_number(c, n) is None) for n in allowed[:2]]
        examples = " and ".join(dict.fromkeys(map(repr, odd)))
        raise ValueError(f"its numbers are not all written in the same way: {examples}")
    first = fitting[0]
    for other in fitting[1:]:
        cell = next((c for c in numbers if as_number(c, first) != as_number(c, other)), None)
        if cell is not None:
            raise ValueError(
                f"{cell!r} may be {as_number(cell, first):g} or {as_number(cell, other):g}: say which mark is the "
                "decimal one, decimal=',' or decimal='.'"
            )
    return first


def to_numbers(cells: np.ndarray, notation: Notation) -> tuple[np.ndarray, np.ndarray]:
    """Converts cells.

    Args:
      cells: Cells, an array of `str`.
      notation: Notation of their numbers.

    Returns:
      Numbers as float64, NaN where there is none; and whether the cell has text that is not a number. Both have the
      shape of `cells`.
    """
    unique, inverse = np.unique(cells, return_inverse=True)
    numbers = [None if cell in MISSING else as_number(cell, notation) for cell in unique]
    is_text = np.array([n is None and cell not in MISSING for n, cell in zip(numbers, unique, strict=True)], bool)
    values = np.array([np.nan if number is None else number for number in numbers], np.float64)
    return values[inverse].reshape(cells.shape), is_text[inverse].reshape(cells.shape)
