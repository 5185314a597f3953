"""The scalars that a run logs while it trains: `metrics.csv` and TensorBoard events."""

import csv
import pathlib

from hgn_jax.whole_files import whole_file


class MetricsWriter:
    """Writes rows of scalars to `metrics.csv` and to TensorBoard events.

    Args:
      directory: Directory of both files.
      resume_step: Number of steps done at the checkpoint that the run continues from. Later rows, left by an
        interrupted run, are deleted, because they will be written again.

    Attributes:
      damage: What of `metrics.csv` was damaged, as after a power failure, and is dropped; None if nothing was.
    """

    def __init__(self, directory: pathlib.Path, resume_step: int):
        self._path = directory / "metrics.csv"
        import tensorboardX  # which imports torch where that is installed: seconds that only a training should take

        rows, self.damage = _read(self._path)
        rows = [row for row in rows if row["step"] <= resume_step]
        with whole_file(self._path) as part:
            part.unlink(missing_ok=True)
            _append(part, rows)
        self._events = tensorboardX.SummaryWriter(str(directory), purge_step=resume_step + 1)

    def write(self, step: int, scalars: dict[str, float], speed: dict[str, float]) -> None:
        """Adds a row.

        Args:
          step: Number of steps done.
          scalars: Scalars for both files.
          speed: Scalars for TensorBoard only, because they differ from run to run.
        """
        _append(self._path, [{"step": step, **scalars}])
        for name, value in {**scalars, **speed}.items():
            self._events.add_scalar(name, value, step)

    def close(self) -> None:
        """Writes buffered events and closes their file."""
        self._events.close()


def _append(path: pathlib.Path, rows: list[dict[str, float]]) -> None:
    """Adds rows to a CSV file, preceded by a header if the file is empty."""
    with path.open("a", newline="", encoding="utf-8") as file:
        if rows:
            writer = csv.DictWriter(file, fieldnames=list(rows[0]))
            if file.tell() == 0:
                writer.writeheader()
            writer.writerows(rows)


def read_metrics(path: pathlib.Path) -> list[dict[str, float]]:
    """Returns the rows of a `metrics.csv` up to the first damaged one; an empty list if there is no such file."""
    return _read(path)[0]


def _read(path: pathlib.Path) -> tuple[list[dict[str, float]], str | None]:
    """The rows up to the first damaged one, and one line on the damage if there is any."""
    if not path.exists():
        return [], None
    *lines, rest = path.read_bytes().decode(errors="replace").split("\n")  # a whole line ends in a line break
    names, rows = lines[0].strip("\r").split(",") if lines else [], []
    damaged = None if "step" in names or not lines else 1
    for number, line in enumerate(lines[1:], start=2):
        row = _row(names, line)
        if row is None:
            damaged = number
            break
        rows.append(row)
    else:
        damaged = damaged or (len(lines) + 1 if rest else None)
    if damaged is None:
        return rows, None
    dropped = f"the rows after step {rows[-1]['step']}" if rows else "all rows"
    return rows, f"{path} is damaged from line {damaged} on; {dropped} are dropped"


def _row(names: list[str], line: str) -> dict[str, float] | None:
    try:
        cells = next(csv.reader([line]), [])
        row = {name: int(cell) if name == "step" else float(cell) for name, cell in zip(names, cells, strict=True)}
    except (csv.Error, ValueError):
        return None
    return row if "step" in row else None
