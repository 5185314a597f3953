"""Progress of long work: a bar on a terminal, occasional lines elsewhere."""

import sys
from typing import TextIO

from tqdm import tqdm

_SECONDS_BETWEEN_LINES = 15.0


class _LineWriter:
    """Turns a bar that is redrawn in place into lines, for log files and terminals without cursor control."""

    def __init__(self, file: TextIO):
        self._file = file

    def write(self, text: str) -> None:
        line = text.strip("\r\n ")
        if line:
            self._file.write(line + "\n")

    def flush(self) -> None:
        self._file.flush()


def progress_bar(
    total: int, description: str, unit: str, done: int = 0, file: TextIO | None = None, quiet: bool = False
) -> tqdm:
    """Returns a `tqdm` progress bar that shows the time left.

    Args:
      total: Number of units of work.
      description: Text before the bar.
      unit: Name of a unit, in the singular.
      done: Number of units that were done before.
      file: Where to write. Default: stderr.
      quiet: Whether to write nothing.
    """
    file = sys.stderr if file is None else file
    kwargs = {"total": total, "desc": description, "unit": unit, "initial": done, "disable": quiet}
    if file.isatty():
        return tqdm(**kwargs, file=file, dynamic_ncols=True)
    bar_format = "{desc}: {n_fmt}/{total_fmt} {unit}s, {elapsed} gone, {remaining} left{postfix}"
    interval = _SECONDS_BETWEEN_LINES
    return tqdm(**kwargs, file=_LineWriter(file), mininterval=interval, maxinterval=interval, bar_format=bar_format)
