"""Text files with a table in them: the encoding, the mark between cells, the header. pandas splits the cells."""

import csv
import io
import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from hgn_jax.data.table_numbers import MISSING, as_number, looks_like_number
from hgn_jax.errors import first_line

_BOMS = {b"\xef\xbb\xbf": "utf-8-sig", b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16"}
_SPACE = " "
_SEPARATORS = {"\t": "tabs", ";": "';'", "|": "'|'", ",": "','", _SPACE: "spaces"}  # in the order of preference
_COMMENT = "#"
_LINES_TRIED = 200  # from which the separator and the header are decided
_MIN_ROWS = 3  # below a line of numbers, from which it can be told for a header


class TextTable(NamedTuple):
    """The cells of a text file.

    Attributes:
      names: Cells of the header; None without one.
      cells: Cells below the header, stripped of spaces, `[rows, columns]` of `str`.
      lines: Number of the line of each row, from 1, `[rows]`.
      layout: Description of the file's format, for people.
    """

    names: tuple[str, ...] | None
    cells: np.ndarray
    lines: np.ndarray
    layout: str


def read_text(path: Path, header: str, decimal: str) -> TextTable:
    """Splits a text file into cells.

    Args:
      path: The file, in UTF-8, UTF-16 with a byte order mark, or Windows-1252.
      header: Whether the first line names the columns: `yes`, `no`, or `auto`.
      decimal: Decimal mark, `.` or `,`; or `auto`.

    Raises:
      ValueError: If it is not text, its lines have different numbers of cells, or it is not clear whether the first
        line is a header.
    """
    text, encoding = _decode(path)
    skipped, text = _without_preamble(text)
    separator = _separator(text, decimal)
    cells, lines = _split(_with_name_of_row_names(text, separator), separator, skipped)
    if not len(cells):
        raise ValueError("it is empty")
    layout = f"{_SEPARATORS[separator]} between cells{encoding}"
    has_header = {"yes": True, "no": False}[header] if header != "auto" else _has_header(cells[:_LINES_TRIED])
    if has_header is None:
        raise ValueError(
            f"its first line, {', '.join(cells[0])!r}, may be a header of numbers or the first row: say which, "
            "header=yes or header=no"
        )
    names = tuple(cells[0]) if has_header else None
    layout += f", the header in line {lines[0]}" if has_header else ", no header"
    first = int(has_header)
    return TextTable(names, cells[first:], lines[first:], layout)


def _decode(path: Path) -> tuple[str, str]:
    """Returns the text of a file, and words on its encoding if it is unusual."""
    content = path.read_bytes()
    encoding = next((name for mark, name in _BOMS.items() if content.startswith(mark)), "utf-8")
    words = ", in UTF-16" if encoding == "utf-16" else ""
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError:
        text, words = content.decode("cp1252", errors="replace"), ", in Windows-1252 as it is not UTF-8"
    if any(ord(character) < 32 and character not in "\t\n\r" or character == "\ufffd" for character in set(text)):
        raise ValueError("it is not text")
    return text, words


def _without_preamble(text: str) -> tuple[int, str]:
    """Drops Excel's line `sep=;`, comments and empty lines before the table; the last comment may be its header.

    Returns:
      The number of lines dropped, and the rest of the text.
    """
    lines = text.splitlines(keepends=True)
    dropped = 1 if lines and lines[0].strip().lower().startswith("sep=") and len(lines[0].strip()) <= 5 else 0
    while dropped < len(lines) and (lines[dropped].startswith(_COMMENT) or not lines[dropped].strip()):
        following = lines[dropped + 1] if dropped + 1 < len(lines) else ""
        title = lines[dropped].lstrip(_COMMENT).strip()
        if not following.startswith(_COMMENT) and title and _same_width(title, following):
            return dropped, "".join([title + "\n", *lines[dropped + 1 :]])
        dropped += 1
    return dropped, "".join(lines[dropped:])


def _same_width(title: str, line: str) -> bool:
    """Whether a comment has as many cells as the line below it, and so names the columns, as NumPy writes them."""
    separator = _separator(line, "auto")
    return len(_cells([title], separator)[0]) == len(_cells([line], separator)[0])


def _separator(text: str, decimal: str) -> str:
    """Returns the separator that gives the first lines the same number of cells, and most of them numbers."""
    lines = _first_lines(text)
    fits = {mark: _fit(_cells(lines, mark), mark) for mark in _SEPARATORS if mark != decimal}
    best = max(fits, key=fits.get)  # the first of the best
    return best if fits[best][0] > 0.5 else ","


def _fit(rows: Sequence[Sequence[str]], mark: str) -> tuple[float, float]:
    """Returns the fraction of lines with the usual number of cells, and the fraction of cells that are numbers."""
    widths = [len(row) for row in rows]
    below = widths[1:] or widths
    usual = max(set(below), key=below.count, default=1)
    agreeing = below.count(usual) + (widths[0] in (usual - 1, usual) if widths[1:] else 0)  # a name may be missing
    if usual == 1 or mark == _SPACE and agreeing < len(rows):  # spaces also stand within cells
        return 0.0, 0.0
    cells = [cell for row in rows for cell in row]
    return agreeing / len(rows), sum(map(looks_like_number, cells)) / len(cells)


def _first_lines(text: str) -> list[str]:
    return [line.strip(" \r\n") for line in text.splitlines() if line.strip()][:_LINES_TRIED]


def _cells(lines: Sequence[str], separator: str) -> list[list[str]]:
    try:
        return list(csv.reader(lines, delimiter=separator, skipinitialspace=True))
    except csv.Error as error:  # such as a cell of a hundred thousand characters
        raise ValueError(first_line(error)) from None


def _with_name_of_row_names(text: str, separator: str) -> str:
    """Adds the empty name of a first column that has none, as R leaves it out."""
    lines = _first_lines(text)
    widths = [len(row) for row in _cells(lines, separator)]
    if len(widths) < _MIN_ROWS or widths[0] < 2 or set(widths[1:]) != {widths[0] + 1}:
        return text
    firsts = [row[0] for row in _cells(lines[1:], separator)]
    row_names = _counts(firsts) or not any(map(looks_like_number, firsts))
    return f'""{separator}{text.lstrip()}' if row_names else text


def _split(text: str, separator: str, skipped: int) -> tuple[np.ndarray, np.ndarray]:
    """Returns the cells without empty lines, and the number of the line of each row, after those skipped."""
    import pandas as pd  # takes half a second, and only text needs it

    if separator == _SPACE:
        text = "\n".join(line.strip() for line in text.splitlines())
    try:
        # This engine, unlike the fast one, tells cells that are empty from cells that are missing at the end of a line.
        frame = pd.read_csv(
            io.StringIO(text), sep=separator, header=None, dtype=object, engine="python", keep_default_na=False,
            na_values=[], skip_blank_lines=False, skipinitialspace=True,
        )  # fmt: skip
    except pd.errors.EmptyDataError:
        return np.empty((0, 0), object), np.empty(0, int)
    except (pd.errors.ParserError, csv.Error) as error:
        long = re.match(r"Expected (\d+) fields in line (\d+), saw (\d+)", str(error))
        if long is None:
            raise ValueError(first_line(error)) from None
        wanted, line, found = map(int, long.groups())
        raise ValueError(f"line {line + skipped} has {found} cells, the lines before it {wanted}") from None
    absent = frame.isna().to_numpy()
    cells = frame.fillna("").map(str.strip).to_numpy(object)
    lines = np.arange(1, len(cells) + 1) + skipped
    filled = (cells != "").any(axis=1)
    cells, lines, absent = cells[filled], lines[filled], absent[filled]
    short = np.flatnonzero(absent.any(axis=1))
    if short.size:
        found, wanted = cells.shape[1] - absent[short[0]].sum(), cells.shape[1]
        raise ValueError(f"line {lines[short[0]]} has {found} cells, the lines before it {wanted}")
    return cells, lines


def _has_header(cells: np.ndarray) -> bool | None:
    """Returns whether the first line is a header; None if that cannot be told."""
    first, body = cells[0], cells[1:]
    columns = [[cell for cell in column if cell not in MISSING] for column in body.T]
    numeric = [bool(column) and all(map(looks_like_number, column)) for column in columns]
    words = [cell not in MISSING and not looks_like_number(cell) for cell in first]
    if any(word and number for word, number in zip(words, numeric, strict=True)):
        return True
    if all(words):  # over columns of text, or nothing at all
        return True
    index = columns[0]
    if first[0] == "" and index and all(map(_is_whole, index)) and len(set(index)) == len(body):
        return True  # row numbers by pandas, below a name that is empty
    places = [j for j, cell in enumerate(first) if numeric[j] and not words[j] and cell not in MISSING]
    return _has_header_of_numbers([first[j] for j in places], [columns[j] for j in places], body[:, places])


def _has_header_of_numbers(first: Sequence[str], columns: Sequence[Sequence[str]], body: np.ndarray) -> bool | None:
    """The same for a first line of numbers, in the columns that hold numbers."""
    if not first or len(body) < _MIN_ROWS:
        return False
    whole = all(_is_whole(cell) for cell in first)
    if whole and not any(_is_whole(cell) for column in columns for cell in column):
        return True  # whole numbers above fractions only: 0, 1, 2 by pandas, or years
    if whole and len(first) > 1 and _counts(first) and not any(_counts(row) for row in body):
        return None
    return None if all(_is_far_away(cell, column) for cell, column in zip(first, columns, strict=True)) else False


def _is_whole(cell: str) -> bool:
    return cell.lstrip("+-").isdecimal()


def _counts(cells: Sequence[str]) -> bool:
    """Whether cells are whole numbers, each greater by one than the one before."""
    if not len(cells) or not all(map(_is_whole, cells)):
        return False
    numbers = list(map(int, cells))
    return numbers == list(range(numbers[0], numbers[0] + len(numbers)))


def _is_far_away(cell: str, column: Sequence[str]) -> bool:
    """Whether a number lies outside of the range of others by more than the width of that range."""
    values = [as_number(other) for other in column]
    value = as_number(cell)
    if value is None or None in values:
        return False
    low, high = min(values), max(values)
    return low < high and not 2 * low - high <= value <= 2 * high - low
