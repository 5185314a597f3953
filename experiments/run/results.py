"""The results of a run, `metrics.json`: dataclasses with a version, written and read here only."""

import dataclasses
import json
import pathlib
from typing import Any, TypeVar

import cattrs

from experiments.run.command_line import UserError
from experiments.run.run_directory import write_json
from hgn_jax.errors import first_line

VERSION = 1

AnyResults = TypeVar("AnyResults", bound="Results")
AnyRecord = TypeVar("AnyRecord")

# Fields that are None by default are left out; a key that is no field is an error.
_CONVERTER = cattrs.Converter(omit_if_default=True, forbid_extra_keys=True)


@dataclasses.dataclass(kw_only=True)
class Multiplier:
    """GECO's multiplier at the end of a training.

    Attributes:
      last: Its last value.
      saturated: The limit that it has come to, `minimum` or `maximum`; None between them.
    """

    last: float
    saturated: str | None


@dataclasses.dataclass(kw_only=True)
class RunFacts:
    """Facts about the run that gave the results.

    Attributes:
      preset: Name of the preset that the configuration was made from.
      steps: Number of training steps done.
      seed: Seed of the training.
      device: Number and kind of the devices, and the number of processes if there are several.
      versions: Versions of the libraries, by name.
      wall_time_s: Seconds of wall-clock time of the `training` and the `evaluation`.
      cpu_time_s: Seconds of processor time of the `training`; empty in the oldest results.
      multiplier: GECO's multiplier; None for other objectives.
    """

    preset: str
    steps: int
    seed: int
    device: str
    versions: dict[str, str]
    wall_time_s: dict[str, float]
    cpu_time_s: dict[str, float] = dataclasses.field(default_factory=dict)
    multiplier: Multiplier | None = None


@dataclasses.dataclass(kw_only=True)
class Results:
    """Results that all tasks report. A field that is None was not measured, and is left out of the file.

    Attributes:
      run: Facts about the run that gave the results.
    """

    run: RunFacts


def write_results(path: pathlib.Path, results: Results) -> None:
    """Writes the results as JSON, whole or not at all."""
    write_versioned(path, results)


def read_results(path: pathlib.Path, results_class: type[AnyResults]) -> AnyResults:
    """Reads the results of a finished run.

    Raises:
      UserError: In one line, if the file is missing, damaged, or of another version.
    """
    if not path.exists():
        raise UserError(f"{path.parent} is not finished: there is no {path.name}")
    try:
        return read_versioned(path, results_class)
    except UserError as error:
        again = f"python -m experiments.evaluate --workdir={path.parent}"
        raise UserError(f"{error}; measure again: {again}") from error


def write_versioned(path: pathlib.Path, record: Any) -> None:
    """Writes a dataclass as JSON with the version, whole or not at all."""
    write_json(path, to_json(record))


def to_json(record: Any) -> dict[str, Any]:
    """Returns a dataclass as nested dictionaries, as its file holds them."""
    return {"version": VERSION, **_CONVERTER.unstructure(record)}


def read_versioned(path: pathlib.Path, record_class: type[AnyRecord]) -> AnyRecord:
    """Reads a dataclass that `write_versioned` has written.

    Raises:
      UserError: In one line, if the file is missing, damaged, or of another version.
    """
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}") from error
    except ValueError as error:
        raise UserError(f"{path} is damaged ({first_line(error)})") from error
    version = values.pop("version", None) if isinstance(values, dict) else None
    if version != VERSION:
        raise UserError(f"{path} has version {version}, and this program reads {VERSION}")
    try:
        return _CONVERTER.structure(values, record_class)
    except Exception as error:  # cattrs groups errors of many kinds
        reasons = "; ".join(cattrs.transform_error(error))
        raise UserError(f"{path} does not hold what it should ({reasons})") from error
