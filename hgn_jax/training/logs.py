"""The scalars a run writes while it trains: `metrics.csv` and TensorBoard events."""

import csv
import pathlib

import tensorboardX


class MetricsWriter:
    """Rows of scalars in `metrics.csv`, and the same in TensorBoard events.

    Opening a directory that has rows already goes on behind row `resume_step`: later rows, written between the
    checkpoint and the interruption, are dropped, since the resumed run writes them again.
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
        """Adds a row. `speed`, which no two runs share, goes to TensorBoard only."""
        _append(self._path, [{"step": step, **scalars}])
        for name, value in {**scalars, **speed}.items():
            self._events.add_scalar(name, value, step)

    def close(self) -> None:
        """Flushes what is left."""
        self._events.close()


def _append(path: pathlib.Path, rows: list[dict[str, float]]) -> None:
    """Adds rows to a CSV file, below a header if they are its first."""
    with path.open("a", newline="") as file:
        if rows:
            writer = csv.DictWriter(file, fieldnames=list(rows[0]))
            if file.tell() == 0:
                writer.writeheader()
            writer.writerows(rows)


def read_metrics(path: pathlib.Path) -> list[dict[str, float]]:
    """The rows of a `metrics.csv`, none if the file is not there."""
    if not path.exists():
        return []
    with path.open(newline="") as file:
        return [{k: int(v) if k == "step" else float(v) for k, v in row.items()} for row in csv.DictReader(file)]
