"""TFDS's settings of the process: the directory of the data sets and the progress bars."""

import contextlib
import os
import pathlib
import sys
from collections.abc import Iterator

from tensorflow_datasets.core import constants
from tensorflow_datasets.core.utils import tqdm_utils

from data_builders.errors import DatasetError


def data_root(data_dir: str | os.PathLike[str] | None = None) -> pathlib.Path:
    """Returns the root of all data sets; `None` stands for TFDS's, $TFDS_DATA_DIR or ~/tensorflow_datasets.

    Raises:
      DatasetError: If there is no home directory.
    """
    root = pathlib.Path(data_dir or constants.get_default_data_dir())
    try:
        return root.expanduser()
    except RuntimeError:
        raise DatasetError(f"cannot tell the home directory in {root}; give data_dir, or set TFDS_DATA_DIR") from None


@contextlib.contextmanager
def progress_bars_on_terminals_only() -> Iterator[None]:
    """Silences TFDS's progress bars where they would fill a log file; the builders print lines of their own there."""
    active = tqdm_utils._active  # TFDS has only a setter
    tqdm_utils.display_progress_bar(active and sys.stderr.isatty())
    try:
        yield
    finally:
        tqdm_utils.display_progress_bar(active)
