"""The points that NHF learns from: fresh draws of a known density, or the rows of a table."""

import csv
import dataclasses
import functools
import pathlib
import re
from collections.abc import Callable
from typing import NamedTuple

import jax
import numpy as np

from experiments.nhf import units
from experiments.nhf.presets import Config, PointsConfig
from experiments.reporting.tables import Table as TextTable
from experiments.reporting.tables import to_text
from experiments.run.run_directory import RunDirectory
from hgn_jax.data import table_columns, tables
from hgn_jax.data.batching import BatchOrder
from hgn_jax.models.densities import TARGETS, Density, get_target
from hgn_jax.training import hosts

_OPTIONS = re.compile(r"\b(header|decimal|columns|leave_out)=")


class Points(NamedTuple):
    """Points of R^d.

    Attributes:
      batch_at: Returns this process's share of the training batch of a step, `{"x": [examples, d]}`, a function of the
        step alone.
      test: Points that no batch holds, `[n, d]`.
      density: The density that they were drawn from; None for a table.
      table: The table that they were read from; None for a density.
    """

    batch_at: Callable[[int], dict[str, np.ndarray]]
    test: np.ndarray
    density: Density | None
    table: tables.Table | None


def resolve(config: Config) -> Config:
    """Fills in the fingerprint of a table.

    Raises:
      ValueError: In one line, if the table cannot be read.
    """
    if config.data.name in TARGETS:
        return config
    fingerprint = tables.fingerprint(read_rows(config.data))
    return dataclasses.replace(config, data=dataclasses.replace(config.data, fingerprint=fingerprint))


def read_rows(data: PointsConfig) -> tables.Rows:
    """Reads the table that the configuration names, once for as long as it does not change."""
    file = pathlib.Path(data.path)
    stamp = (file.stat().st_mtime_ns, file.stat().st_size) if data.path and file.is_file() else None
    return _read_rows(data.name, data.path, stamp, data.columns, data.leave_out, data.header, data.decimal)


@functools.lru_cache(maxsize=1)
def _read_rows(
    name: str, path: str, stamp: tuple[int, int] | None, columns: str, leave_out: str, header: str, decimal: str
) -> tables.Rows:
    names = (_split(columns), _split(leave_out))
    try:
        rows = tables.read_table(path, *names, header, decimal) if path else tables.read_example(name, *names)
    except ValueError as error:
        raise ValueError(_with_flags(str(error))) from None
    return rows._replace(warnings=tuple(map(_with_flags, rows.warnings)))


def _with_flags(message: str) -> str:
    """Writes the reader's options as the fields of the configuration that they are."""
    return _OPTIONS.sub(r"--config.data.\1=", message)


def _split(names: str) -> list[str]:
    """Splits names separated by commas; names with commas stand in double quotes."""
    return [name.strip() for name in next(csv.reader([names], skipinitialspace=True), []) if name.strip()]


def load_points(config: Config) -> Points:
    """Makes the points that `config.data` asks for. The main process prints what was read of a table.

    Raises:
      ValueError: In one line, if they are to be read from a file that does not hold what is needed, or that has changed
        since its fingerprint was taken.
    """
    if config.data.name in TARGETS:
        return _drawn(config, get_target(config.data.name))
    rows = read_rows(config.data)
    _require_same(rows, config.data)
    table = tables.make_table(rows.values, config.data.test_fraction, config.data.split_seed, rows.names)
    if hosts.is_main():
        print(describe(rows, table.columns))
    order = BatchOrder(len(table.train), config.training.batch_size, config.training.seed)
    share = hosts.local_slice(config.training.batch_size)
    return Points(lambda step: {"x": table.train[order(step)[share]]}, table.test, None, table)


def _require_same(rows: tables.Rows, data: PointsConfig) -> None:
    now = tables.fingerprint(rows)
    if data.fingerprint is not None and data.fingerprint != now:
        raise ValueError(
            f"{data.path or rows.source} has changed since the training (fingerprint {data.fingerprint}, now {now}); "
            "give the table as it was, or train on this one in another --workdir"
        )


def describe(rows: tables.Rows, columns: tables.Columns) -> str:
    """Describes what was read of a table: rows, columns with their mean and scale, what was left out and why."""
    num_columns = len(rows.names) + len(rows.left_out)
    heading = (
        f"{rows.source}: {len(rows.values)} of {rows.num_read} rows, {len(rows.names)} of {num_columns} columns; "
        f"{rows.layout}"
    )
    cells = [(name, f"{mean:.6g}", f"{scale:.6g}") for name, mean, scale in zip(*columns, strict=True)]
    lines = [heading, to_text(TextTable("column", cells, columns=("mean", "standard deviation")))]
    for why, names in table_columns.by_reason(rows.left_out).items():
        lines.append(f"left out: column {', '.join(map(repr, names))}: {why}")
    return "\n".join([*lines, *(f"warning: {line}" for line in rows.warnings)])


def keep(directory: RunDirectory, points: Points) -> None:
    """Writes names, means and scales of a table's columns into a run."""
    if points.table is not None:
        units.write_columns(directory, points.table.columns)


def _drawn(config: Config, density: Density) -> Points:
    draw = jax.jit(density.sample, static_argnums=1)
    key = jax.random.PRNGKey(config.training.seed)
    data_key = jax.random.fold_in(key, 1)  # the key itself makes the parameters and the noise of the training
    share = hosts.local_slice(config.training.batch_size)

    def batch_at(step: int) -> dict[str, np.ndarray]:
        return {"x": np.asarray(draw(jax.random.fold_in(data_key, step), config.training.batch_size))[share]}

    test_key = jax.random.fold_in(jax.random.PRNGKey(config.evaluation.seed), 2)
    return Points(batch_at, np.asarray(draw(test_key, config.evaluation.num_points)), density, None)
