"""Tables of numbers for flows: reads rows from a file or from scikit-learn, checks, splits and standardises them.

Anything wrong with the data raises a ValueError whose message is one line that names the place.
"""

import hashlib
import importlib
import json
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from hgn_jax.data import table_columns, table_numbers, table_text
from hgn_jax.data.table_columns import Read, Rows, numbered
from hgn_jax.errors import first_line

EXAMPLES = ("iris", "wine", "breast_cancer", "diabetes")
HEADERS = ("auto", "yes", "no")
DECIMALS = ("auto", ".", ",")
TEXT_SUFFIXES = (".csv", ".tsv", ".tab", ".txt", ".dat")
SUFFIXES = (*TEXT_SUFFIXES, ".npy")


class Columns(NamedTuple):
    """The columns of a table and their standardisation: original = standardised * scale + mean.

    Attributes:
      names: Name of each column.
      mean: Mean of the original training rows, `[d]` float64.
      scale: Standard deviation of the original training rows, `[d]` float64.
    """

    names: tuple[str, ...]
    mean: np.ndarray
    scale: np.ndarray

    def standardise(self, rows: np.ndarray) -> np.ndarray:
        """Returns original rows `[..., d]` standardised, float32."""
        return ((rows - self.mean) / self.scale).astype(np.float32)

    def restore(self, points: np.ndarray) -> np.ndarray:
        """Returns standardised points `[..., d]` in the original units, float64."""
        return np.asarray(points, np.float64) * self.scale + self.mean

    @property
    def log_scale(self) -> float:
        """The log of the product of the scales: a log-density of original rows is smaller by it, in nats."""
        return float(np.sum(np.log(self.scale)))


class Table(NamedTuple):
    """Rows for training and testing, standardised column by column.

    Attributes:
      train: Training rows, `[n, d]` float32, with mean 0 and standard deviation 1.
      test: Test rows, `[m, d]` float32, standardised by the same numbers.
      columns: Names and standardisation of the columns.
    """

    train: np.ndarray
    test: np.ndarray
    columns: Columns


def read_table(
    path: str | Path,
    columns: Sequence[str] = (),
    leave_out: Sequence[str] = (),
    header: str = "auto",
    decimal: str = "auto",
) -> Rows:
    """Reads a table of numbers, and says what was read of it.

    Row numbers without a name, columns of text, constant columns and copies are left out, as are rows in which a cell
    is missing; `left_out` and `warnings` of the result say so.

    Args:
      path: A `.npy` file with an array `[rows, columns]`, or `[rows]` for a single column; or text with commas,
        semicolons, tabs, bars or spaces between cells, whose name ends in one of `TEXT_SUFFIXES`.
      columns: Names of the columns to take, in this order; empty for all that hold varying numbers. Columns without a
        name are called `column 1`, `column 2`, ... by their place.
      leave_out: Names of columns to leave out.
      header: Whether the first line of text names the columns: `yes`, `no`, or `auto`.
      decimal: Decimal mark of text, `.` or `,`; or `auto`.

    Raises:
      ValueError: If there is no such file, it has another suffix, or it holds no such table. The message names the
        place.
    """
    path = Path(path)
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise ValueError(f"cannot read {path}: its name must end in {', '.join(SUFFIXES[:-1])} or {SUFFIXES[-1]}")
    if not path.is_file():
        raise ValueError(f"cannot read {path}: there is no such file")
    try:
        read = _read_npy(path) if suffix == ".npy" else _read_text(path, header, decimal)
        return table_columns.choose(read, columns, leave_out)
    except OSError as error:
        raise ValueError(f"cannot read {path}: {error.strerror or error}") from None
    except ValueError as error:
        raise ValueError(f"cannot read {path}: {error}") from None


def load_table(path: str | Path) -> np.ndarray:
    """Reads a table of numbers as an array.

    Args:
      path: File, see `read_table`. Python warns of whatever is left out.

    Returns:
      Finite numbers, `[rows, columns]` float64.

    Raises:
      ValueError: See `read_table`.
    """
    rows = read_table(path)
    groups = table_columns.by_reason(rows.left_out)
    for line in (*(f"left out: {', '.join(names)}: {why}" for why, names in groups.items()), *rows.warnings):
        warnings.warn(f"{path}: {line}", stacklevel=2)
    return rows.values


def make_table(rows: np.ndarray, test_fraction: float, seed: int, names: Sequence[str] = ()) -> Table:
    """Splits rows at random into training and test rows and standardises both by the training rows.

    Args:
      rows: Finite numbers, `[n, d]`, or `[n]` for a single column.
      test_fraction: Fraction of the rows to keep for testing, between 0 and 1; rounded to whole rows.
      seed: Seed of the split; the same seed gives the same split.
      names: Names of the columns; `column 1`, ... by default.

    Raises:
      ValueError: If the rows are not finite numbers, a column is constant over the training rows, `test_fraction` is
        out of range, or fewer than two training rows or one test row would remain.
    """
    rows = _checked_rows(rows, "the table")
    invalid = np.flatnonzero(~np.isfinite(rows).all(axis=1))
    if invalid.size:
        raise ValueError(
            f"the table has NaN or infinite numbers in {invalid.size} rows, the first at row index {invalid[0]}"
        )
    if not 0 < test_fraction < 1:
        raise ValueError(f"test_fraction must be between 0 and 1, both excluded, got {test_fraction}")
    num_test = round(test_fraction * len(rows))
    num_train = len(rows) - num_test
    if num_train < 2 or num_test < 1:
        raise ValueError(
            f"{len(rows)} rows with test_fraction={test_fraction} leave {num_train} for training and {num_test} for "
            "testing; at least 2 and 1 are needed"
        )
    order = np.random.default_rng(seed).permutation(len(rows))
    test, train = rows[order[:num_test]], rows[order[num_test:]]
    columns = _standardisation(train, tuple(names) or numbered(rows.shape[1]))
    return Table(columns.standardise(train), columns.standardise(test), columns)


def _standardisation(train: np.ndarray, names: tuple[str, ...]) -> Columns:
    constant = np.flatnonzero(train.min(axis=0) == train.max(axis=0))  # rounding can make their deviation positive
    if constant.size:
        raise ValueError(
            f"{', '.join(repr(names[j]) for j in constant)}: constant over the training rows; leave it out"
        )
    with np.errstate(over="ignore", invalid="ignore"):
        mean, scale = train.mean(axis=0), train.std(axis=0)
    wrong = np.flatnonzero(~(np.isfinite(mean) & np.isfinite(scale) & (scale > 0)))
    if wrong.size:
        raise ValueError(
            f"{', '.join(repr(names[j]) for j in wrong)}: too large or too small to standardise; change the unit"
        )
    return Columns(names, mean, scale)


def example_rows(name: str) -> np.ndarray:
    """Returns the features of a data set that comes with scikit-learn, `[rows, columns]` float64.

    Args:
      name: Name in `EXAMPLES`.

    Raises:
      ValueError: If the name is unknown.
    """
    return read_example(name).values


def read_example(name: str, columns: Sequence[str] = (), leave_out: Sequence[str] = ()) -> Rows:
    """Reads the features of a data set that comes with scikit-learn; for the arguments see `read_table`."""
    if name not in EXAMPLES:
        raise ValueError(f"unknown example table {name!r}; choose one of {', '.join(EXAMPLES)}")
    datasets = importlib.import_module("sklearn.datasets")  # slow to import, and used only here
    example = getattr(datasets, f"load_{name}")()
    read = _as_read(example.data, f"the example {name}", "of scikit-learn", tuple(example.feature_names))
    return table_columns.choose(read, columns, leave_out)


def fingerprint(rows: Rows) -> str:
    """Returns a digest of the names and numbers of a table, equal wherever it lies and however it is written."""
    digest = hashlib.sha256("\0".join(rows.names).encode())
    digest.update(np.ascontiguousarray(rows.values, np.float64).tobytes())
    return digest.hexdigest()[:16]


def columns_to_json(columns: Columns) -> dict[str, list]:
    """Returns the names and standardisation as JSON values."""
    return {"columns": list(columns.names), "mean": columns.mean.tolist(), "scale": columns.scale.tolist()}


def columns_from_json(text: str) -> Columns:
    """Reads what `columns_to_json` gives, as text; raises ValueError if the text is something else."""
    values = json.loads(text)
    try:
        columns = Columns(tuple(values["columns"]), *(np.array(values[key], np.float64) for key in ("mean", "scale")))
    except (TypeError, KeyError) as error:
        raise ValueError(f"it does not hold columns, mean and scale: {error!r}") from None
    if not columns.names or not len(columns.names) == len(columns.mean) == len(columns.scale):
        raise ValueError("its columns, mean and scale differ in number")
    return columns


def _read_text(path: Path, header: str, decimal: str) -> Read:
    text = table_text.read_text(path, header, decimal)
    notation = table_numbers.find_notation(np.unique(text.cells).tolist(), decimal)
    values, is_text = table_numbers.to_numbers(text.cells, notation)
    layout = ", ".join(filter(None, (text.layout, notation.describe())))
    given = tuple(" ".join(name.split()) for name in text.names or ()) or ("",) * text.cells.shape[1]
    is_named = np.array([bool(name) and not name.startswith("Unnamed: ") for name in given])  # as pandas calls them

    def cell(row: int, column: int) -> str:
        return f"{text.cells[row, column]!r} in line {text.lines[row]}"

    return Read(_distinct(given), is_named, values, is_text, cell, path.name, layout)


def _distinct(names: Sequence[str]) -> tuple[str, ...]:
    """Gives names to columns without one, and numbers to names that occur again."""
    distinct: list[str] = []
    for name, default in zip(names, numbered(len(names)), strict=True):
        name = candidate = name or default
        again = 1
        while candidate in distinct:
            candidate, again = f"{name}.{again}", again + 1
        distinct.append(candidate)
    return tuple(distinct)


def _read_npy(path: Path) -> Read:
    try:
        with path.open("rb") as file:
            array = np.lib.format.read_array(file, allow_pickle=False)
    except (ValueError, EOFError, SyntaxError, MemoryError) as error:
        raise ValueError(f"not a complete .npy array of numbers without pickled objects: {first_line(error)}") from None
    return _as_read(array, path.name, "a NumPy array")


def _as_read(array: np.ndarray, source: str, layout: str, names: Sequence[str] = ()) -> Read:
    values = _checked_rows(array, "the array")
    is_named = np.full(values.shape[1], bool(names))

    def cell(row: int, column: int) -> str:
        return f"{values[row, column]!r} in row {row}"

    return Read(
        tuple(names) or numbered(values.shape[1]), is_named, values, np.zeros(values.shape, bool), cell, source, layout
    )


def _checked_rows(rows: np.ndarray, source: str) -> np.ndarray:
    """Returns rows as float64 `[rows, columns]`, at least one; raises ValueError unless they are real numbers."""
    rows = np.asarray(rows)
    if rows.dtype.kind not in "biuf":
        raise ValueError(f"{source} must hold real numbers, not {rows.dtype}")
    if rows.ndim not in (1, 2):
        raise ValueError(
            f"{source} must have shape [rows, columns], or [rows] for a single column, not {list(rows.shape)}"
        )
    rows = rows.astype(np.float64)
    if rows.ndim == 1:
        rows = rows[:, None]
    if not rows.size:
        raise ValueError(f"{source} is empty: it has {rows.shape[0]} rows and {rows.shape[1]} columns")
    return rows
