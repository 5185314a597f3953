"""The names and units of a table, kept in the run of a flow: `table.json`. No JAX is imported here."""

import numpy as np

from experiments.nhf.presets import TARGETS, Config
from experiments.run.command_line import UserError
from experiments.run.run_directory import RunDirectory, read_config, write_json
from hgn_jax.data import tables
from hgn_jax.data.tables import Columns, Rows


def write_columns(directory: RunDirectory, columns: Columns) -> None:
    """Writes names, means and scales."""
    write_json(directory.table, tables.columns_to_json(columns))


def read_columns(directory: RunDirectory) -> Columns:
    """Reads names, means and scales; the known densities are of the coordinates `x1` and `x2`, in their own units.

    Raises:
      UserError: If they are missing or damaged.
    """
    if read_config(directory, Config).data.name in TARGETS:
        return Columns(("x1", "x2"), np.zeros(2), np.ones(2))
    try:
        return tables.columns_from_json(directory.table.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise UserError(
            f"there is no {directory.table}, which older runs did not keep; the command of the training, given again, "
            "writes it"
        ) from error
    except ValueError as error:
        raise UserError(
            f"{directory.table} is damaged ({error}); the command of the training, given again, writes it anew"
        ) from error


def check_rows(directory: RunDirectory, path: str | None) -> None:
    """Raises ValueError or UserError if the columns of a run, or those of the file at `path`, cannot be read."""
    columns = read_columns(directory)
    if path is not None:
        read_rows(directory, columns, path)


def read_rows(directory: RunDirectory, columns: Columns, path: str) -> Rows:
    """Reads rows with the columns of a run from a file, as the run read its own table.

    Raises:
      ValueError: In one line, if the file does not hold them.
    """
    data = read_config(directory, Config).data
    return tables.read_table(path, columns.names, (), data.header, data.decimal)
