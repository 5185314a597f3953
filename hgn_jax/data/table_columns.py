"""The columns of a table that a density is learned of: which are left out and why, and what is peculiar of the others.

A density exists for measurements that fill space: with a constant, copied or discrete column the likelihood has no
upper bound, and rises for as long as one trains.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np

_DISCRETE_REPEATS = 5  # rows per distinct value, from which a column is discrete
_ATOM = 0.1  # fraction of the rows with one value, from which a column has an atom
_MIN_ROWS = 10  # below that nothing is said of distinct values
_EQUAL = 1e-6  # difference of standardised columns that comes from rounding


class Rows(NamedTuple):
    """Rows of numbers, complete and finite.

    Attributes:
      names: Name of each column.
      values: The numbers, `[rows, columns]` float64.
      numbers: Position of each row among the rows of the file, from 0, `[rows]`.
      num_read: Number of rows of the file.
      source: The file, or the name of the table.
      layout: Description of the file's format, for people.
      left_out: Reasons for leaving out, by the name of the column.
      warnings: A line for each kind of peculiarity, with what it does to a density.
    """

    names: tuple[str, ...]
    values: np.ndarray
    numbers: np.ndarray
    num_read: int
    source: str
    layout: str
    left_out: dict[str, str]
    warnings: tuple[str, ...]


class Read(NamedTuple):
    """A table as it was read, before columns are chosen.

    Attributes:
      names: Name of each column, from the file or made up.
      is_named: Whether the file names the column, `[columns]`.
      values: The numbers, `[rows, columns]` float64, NaN where a cell is missing or text.
      is_text: Whether a cell is text, `[rows, columns]`.
      cell: Returns the words for a cell, by row and column, as `'abc' in line 3`.
      source: The file, or the name of the table.
      layout: Description of the file's format, for people.
    """

    names: tuple[str, ...]
    is_named: np.ndarray
    values: np.ndarray
    is_text: np.ndarray
    cell: Callable[[int, int], str]
    source: str
    layout: str


def choose(read: Read, columns: Sequence[str] = (), leave_out: Sequence[str] = ()) -> Rows:
    """Chooses the columns and rows that a density can be learned of.

    Args:
      read: The table.
      columns: Names of the columns to take, in this order; empty for all that hold varying numbers.
      leave_out: Names of columns to leave out.

    Raises:
      ValueError: In one line, if a name is unknown, a column holds both numbers and text, no column or too few complete
        rows are left, or a number is infinite.
    """
    read = _named_by_place(read, columns)
    if unknown := [name for name in (*columns, *leave_out) if name not in read.names]:
        raise ValueError(f"there is no column {_list(unknown)}; the columns are {_list(read.names, 20)}")
    if not len(read.values):
        raise ValueError("it is empty: it has a header and no rows")
    left_out = {name: "as asked" for name in leave_out}
    if columns:
        left_out |= {name: "not among the columns asked for" for name in read.names if name not in columns}
    else:
        left_out |= {name: why for name, why in _useless(read) if name not in left_out}
    kept = [read.names.index(name) for name in (columns or read.names) if name not in left_out]
    _refuse_text(read, kept)
    if not kept:
        reasons = "; ".join(f"{_list(names)}: {why}" for why, names in by_reason(left_out).items())
        raise ValueError(f"no column of numbers is left: {reasons}")
    values = read.values[:, kept]
    complete = ~np.isnan(values).any(axis=1)
    if not columns or not complete.any():
        _refuse_mostly_incomplete(read, kept, complete)
    values = values[complete]
    _refuse_infinite(read, kept, values)
    names = [read.names[j] for j in kept]
    if not columns:
        copies = dict(_copies(names, values))
        left_out |= copies
        values = values[:, [name not in copies for name in names]]
        names = [name for name in names if name not in copies]
    warnings = list(_peculiarities(names, values))
    if missing := int(np.sum(~complete)):
        lacking = [read.names[j] for j in kept if np.isnan(read.values[:, j]).any()]
        warnings.insert(
            0,
            f"{missing} of {len(complete)} rows are left out, as a cell is missing in column {_list(lacking)}; the "
            "density is that of the complete rows",
        )
    numbers = np.flatnonzero(complete)
    return Rows(tuple(names), values, numbers, len(complete), read.source, read.layout, left_out, tuple(warnings))


def _named_by_place(read: Read, columns: Sequence[str]) -> Read:
    """Gives the columns asked for their names where the table, or the request, knows places only."""
    nameless = not read.is_named.any() or tuple(columns) == numbered(len(columns))
    if nameless and len(read.names) == len(columns) and not set(columns) <= set(read.names):
        return read._replace(names=tuple(columns), layout=f"{read.layout}, columns in the order of those asked for")
    return read


def numbered(num_columns: int) -> tuple[str, ...]:
    """Names for columns without one."""
    return tuple(f"column {j}" for j in range(1, num_columns + 1))


def by_reason(left_out: dict[str, str]) -> dict[str, list[str]]:
    """Groups the columns that are left out by the reason."""
    groups: dict[str, list[str]] = {}
    for name, why in left_out.items():
        groups.setdefault(why, []).append(name)
    return groups


def _useless(read: Read) -> Iterator[tuple[str, str]]:
    """Columns that hold no measurements, with the reason."""
    for j, name in enumerate(read.names):
        values, text = read.values[:, j], read.is_text[:, j]
        numbers = values[~np.isnan(values)]
        if text.any() and not numbers.size:
            yield name, "text"
        elif not numbers.size:
            yield name, "empty"
        elif j == 0 and len(read.names) > 1 and _is_index(read, numbers):
            yield name, "an index: it numbers the rows and has no name of its own"
        elif numbers.size > 1 and numbers.min() == numbers.max() and not text.any():
            yield name, "constant, so that its density is infinitely narrow"


def _is_index(read: Read, first: np.ndarray) -> bool:
    """Whether the first column is the index of a data frame, or row numbers."""
    if len(first) < len(read.values) or len(first) < 3 or read.is_named[0]:
        return False
    if read.is_named.any():  # names for all columns but this one
        return bool(np.all(first == np.round(first))) and len(np.unique(first)) == len(first)
    return counts(first) and first[0] in (0, 1)


def counts(values: np.ndarray) -> bool:
    """Whether each number is greater by one than the one before."""
    return len(values) >= 3 and bool(np.all(np.diff(values) == 1))


def _refuse_text(read: Read, kept: Sequence[int]) -> None:
    wrong = {j: int(read.is_text[:, j].sum()) for j in kept if read.is_text[:, j].any()}
    if wrong:
        cells = [f"{read.cell(int(np.argmax(read.is_text[:, j])), j)} (column {read.names[j]!r})" for j in wrong]
        raise ValueError(
            f"{_list(cells, quote=False)} must be numbers, and so must all such cells ({sum(wrong.values())}); mend "
            f"the table, or leave columns out: leave_out={','.join(read.names[j] for j in wrong)}"
        )


def _refuse_mostly_incomplete(read: Read, kept: Sequence[int], complete: np.ndarray) -> None:
    if 2 * complete.sum() >= max(1, len(complete)):
        return
    missing = {read.names[j]: int(np.isnan(read.values[:, j]).sum()) for j in kept}
    most = sorted((name for name in missing if missing[name]), key=missing.get, reverse=True)[:5]
    cells = ", ".join(f"{name!r} ({missing[name]})" for name in most)
    raise ValueError(
        f"only {complete.sum()} of {len(complete)} rows have a number in every column; most are missing in {cells}: "
        f"leave such columns out, leave_out={most[0]}"
    )


def _refuse_infinite(read: Read, kept: Sequence[int], values: np.ndarray) -> None:
    infinite = ~np.isfinite(values)
    if infinite.any():
        columns = [read.names[j] for j, any_infinite in zip(kept, infinite.any(axis=0), strict=True) if any_infinite]
        raise ValueError(f"infinite numbers: {int(infinite.sum())}, in column {_list(columns)}")


def _standardised(values: np.ndarray) -> np.ndarray:
    with np.errstate(all="ignore"):
        scale = values.std(axis=0)
        return np.where(scale > 0, (values - values.mean(axis=0)) / scale, 0.0)


def _copies(names: Sequence[str], values: np.ndarray) -> Iterator[tuple[str, str]]:
    """Columns that equal an earlier one, or differ from it in unit and zero only; with the reason."""
    if len(values) < 3:
        return
    z = _standardised(values)
    correlation = z.T @ z / len(z)
    for j in range(1, len(names)):
        for i in np.flatnonzero(np.abs(correlation[j, :j]) > 1 - _EQUAL):
            if np.abs(z[:, j] - np.sign(correlation[j, i]) * z[:, i]).max() < _EQUAL:
                kind = "copy" if np.array_equal(values[:, i], values[:, j]) else "copy in other units"
                yield (
                    names[j],
                    f"a {kind} of {names[i]!r}, which determines it, so that the density of both has no bound",
                )
                break


def _peculiarities(names: Sequence[str], values: np.ndarray) -> Iterator[str]:
    """A line for each kind of column that a density suits badly."""
    num_rows = len(values)
    if num_rows < _MIN_ROWS:
        return
    numbering, discrete, atoms = [], [], []
    for name, column in zip(names, values.T, strict=True):
        distinct, repeats = np.unique(column, return_counts=True)
        if counts(distinct) and len(distinct) == num_rows:
            numbering.append(name)
        elif num_rows >= _DISCRETE_REPEATS * len(distinct):
            discrete.append(f"{name!r} ({len(distinct)} values)")
        elif repeats.max() >= _ATOM * num_rows:
            atoms.append(f"{name!r} ({distinct[repeats.argmax()]:g} in {repeats.max()} rows)")
    if numbering:
        yield (
            f"column {_list(numbering)} counts the rows: its density says only how long the table is; leave it out "
            f"unless it is a measurement, leave_out={','.join(numbering)}"
        )
    if discrete:
        yield (
            f"discrete column {_list(discrete, quote=False)}: few distinct values in {num_rows} rows, on which a "
            "density can grow without bound, so that the likelihood rises for as long as one trains; leave it out, or "
            "add noise as wide as the steps between values"
        )
    if atoms:
        yield (
            f"column {_list(atoms, quote=False)} repeats one value, as a discrete column does, and the density has no "
            "bound there; if it marks missing cells, leave them empty"
        )
    yield from _dependent(names, values)
    if copies := num_rows - len(np.unique(values, axis=0)):
        yield f"{copies} rows are a copy of another row, so that test rows may be among the training rows"


def _dependent(names: Sequence[str], values: np.ndarray) -> Iterator[str]:
    """A line if columns determine each other linearly, as parts of a sum do."""
    if len(values) <= len(names):
        yield f"{len(values)} rows cannot determine a density of {len(names)} columns"
        return
    z = _standardised(values)
    _, sizes, axes = np.linalg.svd(z, full_matrices=False)
    singular = axes[sizes < _EQUAL * np.sqrt(len(z))]
    if len(singular):
        involved = [name for name, weight in zip(names, np.abs(singular).max(axis=0), strict=True) if weight > 1e-3]
        yield (
            f"columns {_list(involved)} determine each other, {len(singular)} of them by the rest: the density of all "
            "has no bound; leave that many out"
        )


def _list(names: Sequence[str], most: int = 5, quote: bool = True) -> str:
    """Lists names, of which the first are written out."""
    shown = [repr(name) if quote else name for name in names[:most]]
    more = [f"{len(names) - most} more"] if len(names) > most else []
    return ", ".join([*shown, *more])
