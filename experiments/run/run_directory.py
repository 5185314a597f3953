"""A run's directory: `config.json`, `checkpoints/`, `metrics.csv`, TensorBoard events, `metrics.json`, `report/`.

An HGN whose new trajectories come from a fitted density keeps that as `state_density.npz`.

When several processes train together, only the main one reads and writes it.
"""

import contextlib
import dataclasses
import json
import os
import pathlib
import tempfile
from collections.abc import Iterator, Mapping
from typing import Any

import cattrs
import filelock

from experiments.run.command_line import UserError
from experiments.tasks import TASKS, Task
from hgn_jax.training import hosts

# Fields that may change between the parts of one run.
_MAY_CHANGE = ("data.data_dir", "data.source", "training.checkpoint_every", "state_density", "evaluation.")
_LOCK = ".lock"
_CONVERTER = cattrs.Converter(forbid_extra_keys=True)


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

    @property
    def state_density(self) -> pathlib.Path:
        return self.path / "state_density.npz"


def open_run(workdir: str | os.PathLike[str], config: Any) -> RunDirectory:
    """Checks that the directory can be made and written, or that the run in it has the same configuration.

    Raises:
      UserError: If it cannot be written, holds other files, or holds a run with another configuration.
    """
    directory = RunDirectory(pathlib.Path(workdir))
    if not hosts.is_main():
        return directory
    try:
        with tempfile.TemporaryFile(dir=_nearest_existing(directory.path)):
            pass
    except OSError as error:
        raise UserError(f"cannot write to --workdir={workdir}: {error.strerror}; give another --workdir") from error
    if directory.config.exists():
        _require_same_config(directory, config)
    elif directory.path.exists() and any(path.name != _LOCK for path in directory.path.iterdir()):
        raise UserError(f"--workdir={workdir} holds files but no config.json, so no run; give a new or empty --workdir")
    return directory


def _nearest_existing(path: pathlib.Path) -> pathlib.Path:
    return next(parent for parent in (path, *path.absolute().parents) if parent.exists())


def _require_same_config(directory: RunDirectory, config: Any) -> None:
    old, new = (flatten(dataclasses.asdict(each)) for each in (read_config(directory, type(config)), config))
    differences = [
        f"config.{name} was {old[name]}, now {new[name]}"
        for name in old
        if not name.startswith(_MAY_CHANGE) and old[name] != new[name]
    ]
    if differences:
        raise UserError(
            f"--workdir={directory.path} holds a run of another configuration ({'; '.join(differences)}); to continue "
            "it give the same settings, to start afresh give another --workdir"
        )


@contextlib.contextmanager
def lock(directory: RunDirectory) -> Iterator[None]:
    """Makes the directory and keeps other processes out of it; raises UserError if one is at work there.

    The operating system releases the lock when a process ends, however it ends.
    """
    if not hosts.is_main():
        yield
        return
    directory.path.mkdir(parents=True, exist_ok=True)
    try:
        with filelock.FileLock(directory.path / _LOCK, timeout=0):
            yield
    except filelock.Timeout as error:
        raise UserError(
            f"another process is at work in --workdir={directory.path}; wait for it or give another"
        ) from error


def read_task(directory: RunDirectory) -> Task:
    """Returns the task that a run belongs to; raises UserError if there is no run, or its configuration is damaged."""
    return _read(directory)[0]


def read_config(directory: RunDirectory, config_class: type) -> Any:
    """Returns the configuration of a run; raises UserError if there is none, or it is of another class."""
    task, values = _read(directory)
    if config_class is not task.config_class:
        raise UserError(
            f"{directory.path} holds a run of experiments.{task.name}, not of experiments.{config_class.program}"
        )
    try:
        return _CONVERTER.structure(values, config_class)
    except Exception as error:  # cattrs groups errors of many kinds
        reasons = "; ".join(cattrs.transform_error(error))
        raise UserError(f"{directory.config} is not a configuration of this version: {reasons}") from error


def _read(directory: RunDirectory) -> tuple[Task, dict[str, Any]]:
    try:
        values = json.loads(directory.config.read_text())
    except FileNotFoundError as error:
        raise UserError(f"no run in --workdir={directory.path}: there is no {directory.config.name}") from error
    except ValueError as error:
        raise UserError(f"{directory.config} is damaged: {error}") from error
    if not isinstance(values, dict):
        raise UserError(f"{directory.config} is not a configuration: it holds a {type(values).__name__}")
    program = values.pop("program", "hgn")
    if program not in TASKS:
        raise UserError(f"{directory.config} is of the unknown program {program!r}; known are {', '.join(TASKS)}")
    return TASKS[program], values


def require_checkpoint(directory: RunDirectory) -> None:
    """Raises UserError if a run has no checkpoint yet."""
    if not directory.checkpoints.exists():
        raise UserError(f"no checkpoint in {directory.checkpoints}: the run has not come that far")


def write_config(directory: RunDirectory, config: Any) -> None:
    """Writes `config.json`."""
    if hosts.is_main():
        write_json(directory.config, {"program": config.program, **dataclasses.asdict(config)})


def write_json(path: pathlib.Path, content: Mapping[str, Any]) -> None:
    """Writes JSON, whole or not at all."""
    part = path.with_name(path.name + ".part")
    part.write_text(json.dumps(content, indent=2) + "\n")
    part.replace(path)


def flatten(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Flattens nested dictionaries: `{"a": {"b": 1}}` becomes `{"a.b": 1}`."""
    flat = {}
    for name, value in values.items():
        flat |= flatten(value, f"{prefix}{name}.") if isinstance(value, Mapping) else {prefix + name: value}
    return flat
