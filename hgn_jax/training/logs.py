"""The scalars that a run logs while it trains: `metrics.csv` and TensorBoard events."""

import csv
import pathlib

import tensorboardX


class MetricsWriter:
    """Writes rows of scalars to `metrics.csv` and to TensorBoard events.

    Args:
      directory: Directory of both files.
      resume_step: Number of steps done at the checkpoint that the run continues from. Later rows, left by an
        interrupted run, are deleted, because they will be written again.
    """

    def __init__(self, directory: pathlib.Path, resume_step: int):
        self._path = directory / "metrics.csv"
        rows = [row for row in read_metrics(self._path) if row["step"] <= resume_step]
        part = self._path.with_name("metrics.csv.part")
        part.unlink(missing_ok=True)
        _append(part, rows)
        part.replace(self._path)
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
    with path.open("a", newline="") as file:
        if rows:
            writer = csv.DictWriter(file, fieldnames=list(rows[0]))
            if file.tell() == 0:
                writer.writeheader()
            writer.writerows(rows)


def read_metrics(path: pathlib.Path) -> list[dict[str, float]]:
    """Returns the rows of a `metrics.csv`; an empty list if there is no such file."""
    if not path.exists():
        return []
    with path.open(newline="") as file:
        return [{k: int(v) if k == "step" else float(v) for k, v in row.items()} for row in csv.DictReader(file)]
