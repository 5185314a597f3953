"""Files that appear when they are whole, and leave nothing behind when their writing is interrupted or fails."""

import contextlib
import os
import pathlib
from collections.abc import Iterator

_PART = ".part"


@contextlib.contextmanager
def whole_file(path: pathlib.Path) -> Iterator[pathlib.Path]:
    """Gives the path of a part, with the same ending, that becomes the file at the end of the block.

    Args:
      path: Path of the file, whose directory exists. A file that is there stays until the new one is whole.

    Yields:
      The path to write to.
    """
    part = path.with_name(f"{path.stem}{_PART}{path.suffix}")
    try:
        yield part
        with part.open("rb") as file:
            os.fsync(file.fileno())  # or a power failure may leave the new name on an empty file
        part.replace(path)
    except BaseException:  # Ctrl-C too
        with contextlib.suppress(OSError):
            part.unlink()
        raise


def is_part(path: pathlib.Path) -> bool:
    """Whether a file is left of a writing that was killed."""
    return _PART in path.suffixes
