"""Progress of long work: a bar on a terminal, a line now and then elsewhere."""

import sys
from typing import TextIO

from tqdm import tqdm

_SECONDS_BETWEEN_LINES = 15.0


class _Lines:
    """A file that turns a bar redrawn in place into lines, for logs and dumb terminals."""

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
    """A `tqdm` bar over `total` units, `done` of them before the start, with the time left; on stderr by default."""
    file = sys.stderr if file is None else file
    common = {"total": total, "desc": description, "unit": unit, "initial": done, "disable": quiet}
    if file.isatty():
        return tqdm(**common, file=file, dynamic_ncols=True)
    bar_format = "{desc}: {n_fmt}/{total_fmt} {unit}s, {elapsed} gone, {remaining} left{postfix}"
    interval = _SECONDS_BETWEEN_LINES
    return tqdm(**common, file=_Lines(file), mininterval=interval, maxinterval=interval, bar_format=bar_format)
