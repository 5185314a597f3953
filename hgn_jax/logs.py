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
        self._path.unlink(missing_ok=True)
        for row in rows:
            self._append(row)
        self._events = tensorboardX.SummaryWriter(str(directory), purge_step=resume_step + 1)

    def write(self, step: int, scalars: dict[str, float], speed: dict[str, float]) -> None:
        """Adds a row. `speed`, which no two runs share, goes to TensorBoard only."""
        self._append({"step": step, **scalars})
        for name, value in {**scalars, **speed}.items():
            self._events.add_scalar(name, value, step)

    def _append(self, row: dict[str, float]) -> None:
        is_new = not self._path.exists()
        with self._path.open("a", newline="") as file:
            writer = csv.DictWriter(file, fieldnames=list(row))
            if is_new:
                writer.writeheader()
            writer.writerow(row)

    def close(self) -> None:
        """Flushes what is left."""
        self._events.close()


def read_metrics(path: pathlib.Path) -> list[dict[str, float]]:
    """The rows of a `metrics.csv`, none if the file is not there."""
    if not path.exists():
        return []
    with path.open(newline="") as file:
        return [{k: int(v) if k == "step" else float(v) for k, v in row.items()} for row in csv.DictReader(file)]
