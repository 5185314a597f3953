"""A run's directory: `config.json`, `checkpoints/`, `metrics.csv`, TensorBoard events, `metrics.json`, `report/`.

Of several processes that train together only the main one reads and writes it.
"""

import contextlib
import dataclasses
import json
import os
import pathlib
import tempfile
from collections.abc import Iterator, Mapping
from typing import Any

import filelock

from experiments.run.command_line import UserError
from hgn_jax.training import hosts

# What may change between the parts of one run without making it another.
_MAY_CHANGE = ("data.data_dir", "data.source", "training.checkpoint_every", "evaluation.")
_LOCK = ".lock"


@dataclasses.dataclass(frozen=True)
class RunDirectory:
    """The paths of a run; `open_run` checks a directory before it is used."""

    path: pathlib.Path

    @property
    def config(self) -> pathlib.Path:
        return self.path / "config.json"

    @property
    def checkpoints(self) -> pathlib.Path:
        return self.path / "checkpoints"

    @property
    def metrics(self) -> pathlib.Path:
        return self.path / "metrics.json"

    @property
    def report(self) -> pathlib.Path:
        return self.path / "report"


def open_run(workdir: str | os.PathLike[str], config: Any) -> RunDirectory:
    """Checks that the directory can be made and written, or that the one there belongs to the same run.

    Raises:
      UserError: if it cannot be written, holds something else, or holds a run of another configuration.
    """
    run = RunDirectory(pathlib.Path(workdir))
    if not hosts.is_main():
        return run
    try:
        with tempfile.TemporaryFile(dir=_nearest_that_exists(run.path)):
            pass
    except OSError as error:
        raise UserError(f"cannot write to --workdir={workdir}: {error.strerror}; give another --workdir") from error
    if run.config.exists():
        _check_same_run(run, config)
    elif run.path.exists() and any(path.name != _LOCK for path in run.path.iterdir()):
        raise UserError(f"--workdir={workdir} holds files but no config.json, so no run; give a new or empty --workdir")
    return run


def _nearest_that_exists(path: pathlib.Path) -> pathlib.Path:
    return next(place for place in (path, *path.absolute().parents) if place.exists())


@contextlib.contextmanager
def lock(run: RunDirectory) -> Iterator[None]:
    """Makes the run's directory and keeps other processes out of it; raises UserError if one is at work there.

    The system lets go of the lock when a process ends, however it ends.
    """
    if not hosts.is_main():
        yield
        return
    run.path.mkdir(parents=True, exist_ok=True)
    try:
        with filelock.FileLock(run.path / _LOCK, timeout=0):
            yield
    except filelock.Timeout as error:
        raise UserError(f"another process is at work in --workdir={run.path}; wait for it or give another") from error


def read_program(run: RunDirectory) -> str:
    """Returns the program, `hgn` or `nhf`, that a run is of; raises UserError if there is no run or it is damaged."""
    return _read(run)[0]


def read_config(run: RunDirectory, kind: type) -> Any:
    """Returns the configuration of a run, of the class `kind`; raises UserError if there is none or it is another's."""
    program, values = _read(run)
    if program != kind.program:
        raise UserError(f"{run.path} holds a run of experiments.{program}, not of experiments.{kind.program}")
    try:
        return _from_json(kind, values)
    except (AttributeError, TypeError, ValueError) as error:
        raise UserError(f"{run.config} is not a configuration of this version: {error}") from error


def require_checkpoint(run: RunDirectory) -> None:
    """Raises UserError if a run has no checkpoint yet."""
    if not run.checkpoints.exists():
        raise UserError(f"no checkpoint in {run.checkpoints}: the run has not come that far")


def _read(run: RunDirectory) -> tuple[str, dict[str, Any]]:
    try:
        values = json.loads(run.config.read_text())
    except FileNotFoundError as error:
        raise UserError(f"no run in --workdir={run.path}: there is no {run.config.name}") from error
    except ValueError as error:
        raise UserError(f"{run.config} is damaged: {error}") from error
    if not isinstance(values, dict):
        raise UserError(f"{run.config} is not a configuration: it holds a {type(values).__name__}")
    return values.pop("program", "hgn"), values


def write_json(path: pathlib.Path, content: dict[str, Any]) -> None:
    """Writes JSON whole or not at all."""
    part = path.with_name(path.name + ".part")
    part.write_text(json.dumps(content, indent=2) + "\n")
    part.replace(path)


def write_config(run: RunDirectory, config: Any) -> None:
    """Writes `config.json`."""
    if hosts.is_main():
        write_json(run.config, {"program": config.program, **dataclasses.asdict(config)})


def _from_json(kind: type, values: dict[str, Any]) -> Any:
    """A dataclass from the dictionary that `dataclasses.asdict` and JSON made of it: lists are tuples again."""
    fields = {field.name: field.type for field in dataclasses.fields(kind)}
    unknown = sorted(set(values) - set(fields))
    if unknown:
        raise ValueError(f"unknown field {', '.join(unknown)}")
    return kind(**{name: _field_from_json(fields[name], value) for name, value in values.items()})


def _field_from_json(kind: Any, value: Any) -> Any:
    if dataclasses.is_dataclass(kind):
        return _from_json(kind, value)
    return tuple(value) if isinstance(value, list) else value


def flatten(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested dictionaries as one: `{"a": {"b": 1}}` becomes `{"a.b": 1}`."""
    flat = {}
    for name, value in values.items():
        flat |= flatten(value, f"{prefix}{name}.") if isinstance(value, Mapping) else {prefix + name: value}
    return flat


def _check_same_run(run: RunDirectory, config: Any) -> None:
    old, new = (flatten(dataclasses.asdict(each)) for each in (read_config(run, type(config)), config))
    differences = [
        f"config.{name} was {old[name]}, now {new[name]}"
        for name in old
        if not name.startswith(_MAY_CHANGE) and old[name] != new[name]
    ]
    if differences:
        raise UserError(
            f"--workdir={run.path} holds a run of another configuration ({'; '.join(differences)}); to go on with it "
            "give the same settings, to start afresh give another --workdir"
        )
