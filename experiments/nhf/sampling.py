"""Samples of a trained flow, and scores of rows, as CSV files in the names and units of the table."""

import contextlib
import csv
import pathlib
from collections.abc import Iterator
from typing import Any, NamedTuple

import jax
import numpy as np

from experiments.nhf import units
from experiments.nhf.evaluation import log_weights
from experiments.nhf.presets import Config
from experiments.run.run_directory import RunDirectory, read_config
from hgn_jax.data.tables import Columns, Rows
from hgn_jax.metrics import flow as flow_metrics
from hgn_jax.models.nhf import NHF
from hgn_jax.runs import load_run
from hgn_jax.training.progress import progress_bar
from hgn_jax.whole_files import whole_file

_SAMPLES_PER_CALL = 1000


class Options(NamedTuple):
    """Options of the command.

    Attributes:
      num_samples: Number of points.
      seed: Seed of the points.
      score: Path of a table whose rows are scored; None for no scores.
    """

    num_samples: int
    seed: int
    score: str | None


class Flow(NamedTuple):
    """A trained flow with the units of its data.

    Attributes:
      nhf: The model, of standardised columns.
      params: Its parameters.
      columns: Names and standardisation of the columns.
    """

    nhf: NHF
    params: Any
    columns: Columns


def write(directory: RunDirectory, options: Options, output: pathlib.Path) -> None:
    """Writes `samples.csv` and perhaps `scores.csv` of a run to a directory, and prints what they hold."""
    flow = read_flow(directory)
    write_samples(flow, options.num_samples, options.seed, output / "samples.csv")
    print(f"{options.num_samples} samples of {', '.join(flow.columns.names)}: {output / 'samples.csv'}")
    if options.score is None:
        return
    rows = units.read_rows(directory, flow.columns, options.score)
    scores = write_scores(flow, rows, directory, output / "scores.csv")
    if missing := rows.num_read - len(scores):
        print(f"{missing} of {rows.num_read} rows have no score, as a cell is missing")
    if infinite := int(np.sum(~np.isfinite(scores))):
        print(f"{infinite} rows are so far from the training rows that their density is 0 to the precision of numbers")
    mean = f"{scores[np.isfinite(scores)].mean():.4f} nats per row, in the units of the columns"
    print(f"log p of {np.isfinite(scores).sum()} rows of {options.score}, on average {mean}: {output / 'scores.csv'}")


def read_flow(directory: RunDirectory) -> Flow:
    """Reads a flow from its run. The table itself is not needed."""
    run = load_run(directory.path)
    return Flow(run.model, run.params, units.read_columns(directory))


def write_samples(flow: Flow, num_samples: int, seed: int, path: pathlib.Path) -> None:
    """Writes samples as CSV with a header; the first ones do not depend on their number."""
    draw = jax.jit(flow.nhf.sample, static_argnums=2)
    key = jax.random.PRNGKey(seed)
    with _csv(path, flow.columns.names) as writer, progress_bar(num_samples, "sampling", "point") as bar:
        for start in range(0, num_samples, _SAMPLES_PER_CALL):
            points = draw(flow.params, jax.random.fold_in(key, start), _SAMPLES_PER_CALL)[: num_samples - start]
            writer.writerows(flow.columns.restore(points).tolist())
            bar.update(len(points))


def write_scores(flow: Flow, rows: Rows, directory: RunDirectory, path: pathlib.Path) -> np.ndarray:
    """Writes the log-density of each row of a table and its standard error as CSV, and returns the log-densities.

    They are in nats, per unit of the table's columns, by importance weighting with as many momenta as the evaluation
    takes. A row in which a cell is missing has empty cells.

    Args:
      flow: The flow.
      rows: The rows, of the flow's columns.
      directory: The flow's run.
      path: File to write.
    """
    evaluation = read_config(directory, Config).evaluation
    num_samples = max(2, evaluation.num_samples)  # one gives no error
    key = jax.random.PRNGKey(evaluation.seed)
    points = flow.columns.standardise(rows.values)
    parts = map(flow_metrics.log_prob_and_error, log_weights(flow.nhf, flow.params, points, num_samples, key))
    log_prob, errors = np.concatenate(list(parts), axis=1)
    scores = np.full((rows.num_read, 2), np.nan)
    scores[rows.numbers] = np.stack([log_prob - flow.columns.log_scale, errors], axis=1)
    with _csv(path, ("row", "log_prob", "standard_error")) as writer:
        for number, values in enumerate(scores.tolist(), start=1):
            writer.writerow([number, *("" if np.isnan(value) else value for value in values)])
    return scores[rows.numbers, 0]


@contextlib.contextmanager
def _csv(path: pathlib.Path, names: tuple[str, ...]) -> Iterator[Any]:
    """Opens a CSV file and writes its header; the file appears when it is whole."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with whole_file(path) as part, part.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(names)
        yield writer
