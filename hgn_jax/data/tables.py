"""Tables of numbers for flows: reads rows from a file or from scikit-learn, checks, splits and standardises them.

Anything wrong with the data raises a ValueError whose message is one line that names the place.
"""

import csv
import importlib
from pathlib import Path
from typing import NamedTuple

import numpy as np

from hgn_jax.errors import first_line

EXAMPLES = ("iris", "wine", "breast_cancer", "diabetes")


class Table(NamedTuple):
    """Rows for training and testing, standardised column by column: original = standardised * scale + mean.

    Attributes:
      train: Training rows, `[n, d]` float32, with mean 0 and standard deviation 1.
      test: Test rows, `[m, d]` float32, standardised by the same numbers.
      mean: Mean of the original training rows, `[d]` float64.
      scale: Standard deviation of the original training rows, `[d]` float64.
    """

    train: np.ndarray
    test: np.ndarray
    mean: np.ndarray
    scale: np.ndarray


def load_table(path: str | Path) -> np.ndarray:
    """Reads a table of numbers.

    Args:
      path: A `.npy` file with an array `[rows, columns]`, or `[rows]` for a single column; or a `.csv` file in UTF-8
        with commas between cells. A first line without any number is taken as the header.

    Returns:
      Finite numbers, `[rows, columns]` float64.

    Raises:
      ValueError: If there is no such file, it has another suffix, or it holds anything but a full table of finite
        numbers. The message names the place.
    """
    path = Path(path)
    readers = {".npy": _read_npy, ".csv": _read_csv}
    if path.suffix.lower() not in readers:
        raise ValueError(f"cannot read {path}: its name must end in {' or '.join(readers)}")
    if not path.is_file():
        raise ValueError(f"cannot read {path}: there is no such file")
    return _checked_rows(readers[path.suffix.lower()](path), str(path))


def make_table(rows: np.ndarray, test_fraction: float, seed: int) -> Table:
    """Splits rows at random into training and test rows and standardises both by the training rows.

    Args:
      rows: Finite numbers, `[n, d]`, or `[n]` for a single column.
      test_fraction: Fraction of the rows to keep for testing, between 0 and 1; rounded to whole rows.
      seed: Seed of the split; the same seed gives the same split.

    Raises:
      ValueError: If the rows are not finite numbers, a column is constant over the training rows, `test_fraction` is
        out of range, or fewer than two training rows or one test row would remain.
    """
    rows = _checked_rows(rows, "the table")
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
    constant = np.flatnonzero(train.min(axis=0) == train.max(axis=0))  # rounding can make their deviation positive
    if constant.size:
        raise ValueError(f"column index {constant[0]} is constant over the training rows; leave it out")
    mean, scale = train.mean(axis=0), train.std(axis=0)
    standardise = lambda x: ((x - mean) / scale).astype(np.float32)
    return Table(standardise(train), standardise(test), mean, scale)


def example_rows(name: str) -> np.ndarray:
    """Returns the features of a data set that comes with scikit-learn, `[rows, columns]` float64.

    Args:
      name: Name in `EXAMPLES`.

    Raises:
      ValueError: If the name is unknown.
    """
    if name not in EXAMPLES:
        raise ValueError(f"unknown example table {name!r}; choose one of {', '.join(EXAMPLES)}")
    datasets = importlib.import_module("sklearn.datasets")  # slow to import, and used only here
    return _checked_rows(getattr(datasets, f"load_{name}")().data, name)


def _read_npy(path: Path) -> np.ndarray:
    try:
        with path.open("rb") as file:
            return np.lib.format.read_array(file, allow_pickle=False)
    except (ValueError, OSError, SyntaxError, MemoryError) as error:
        raise ValueError(
            f"{path} is not a complete .npy array of numbers without pickled objects: {first_line(error)}"
        ) from None


def _read_csv(path: Path) -> np.ndarray:
    rows, num_columns = [], None
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.reader(file, strict=True)
            for cells in reader:
                if not cells:  # an empty line
                    continue
                numbers = [_number(cell) for cell in cells]
                if num_columns is None:
                    num_columns = len(cells)
                    if all(number is None for number in numbers):  # the header
                        continue
                if len(cells) != num_columns:
                    raise ValueError(
                        f"line {reader.line_num} has {len(cells)} cells, the lines before it {num_columns}"
                    )
                if None in numbers:
                    column = numbers.index(None)
                    raise ValueError(f"line {reader.line_num}, cell {column + 1}: {cells[column]!r} is not a number")
                rows.append(numbers)
    except UnicodeDecodeError:
        raise ValueError(f"cannot read {path}: it is not text in UTF-8") from None
    except (ValueError, OSError, csv.Error) as error:
        raise ValueError(f"cannot read {path}: {error}") from None
    return np.array(rows, np.float64).reshape(len(rows), num_columns or 0)


def _number(cell: str) -> float | None:
    try:
        return float(cell)
    except ValueError:
        return None


def _checked_rows(rows: np.ndarray, source: str) -> np.ndarray:
    """Returns rows as float64 `[rows, columns]`; raises ValueError unless they are finite numbers, at least one."""
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
    invalid = np.flatnonzero(~np.isfinite(rows).all(axis=1))
    if invalid.size:
        raise ValueError(
            f"{source} has NaN or infinite numbers in {invalid.size} rows, the first at row index {invalid[0]}"
        )
    return rows
