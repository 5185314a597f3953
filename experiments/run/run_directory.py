"""A run's directory: `config.json`, `checkpoints/`, `metrics.csv`, TensorBoard events, `metrics.json`, `report/`.

An HGN whose new trajectories come from a fitted density keeps that as `state_density.npz`, a flow of a table its
columns as `table.json`.

When several processes train together, only the main one reads and writes it.
"""

import contextlib
import dataclasses
import errno
import hashlib
import json
import os
import pathlib
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import cattrs
from absl import flags

from data_builders import locks
from experiments.run.command_line import UserError, define_path
from experiments.tasks import TASKS, Task
from hgn_jax import whole_files
from hgn_jax.config_checks import absolute_paths, expand_home
from hgn_jax.errors import first_line
from hgn_jax.training import hosts

# Fields that may change between the parts of one run.
_MAY_CHANGE = ("data.data_dir", "data.source", "data.path", "training.checkpoint_every", "state_density", "evaluation.")
# Flag that says where the data of a run are now -> fields of `config.data` that it may belong to.
_MOVED = {"data_dir": ("data_dir",), "source": ("source", "path")}
_FINGERPRINT = "data.fingerprint"
_LOCK = ".lock"
_CONVERTER = cattrs.Converter(forbid_extra_keys=True)


class DamagedConfigError(UserError):
    """The `config.json` of a run cannot be read, as after a power failure."""


@dataclasses.dataclass(frozen=True)
class RunDirectory:
    """The paths of a run; `open_run` checks a directory before it is used.

    Attributes:
      path: The directory; ~ is the home directory.
      output: Directory for what is measured and drawn, if that is not to be written into the run's.
      moved: Where the data of the run are now, by the names of fields of its `config.data`.
    """

    path: pathlib.Path | str
    output: pathlib.Path | str | None = None
    moved: Mapping[str, str] = dataclasses.field(default_factory=dict)

    def __post_init__(self):
        for name in ("path", "output"):
            if getattr(self, name) is not None:
                object.__setattr__(self, name, pathlib.Path(expand_home(os.fspath(getattr(self, name)))))

    @property
    def config(self) -> pathlib.Path:
        return self.path / "config.json"

    @property
    def checkpoints(self) -> pathlib.Path:
        return self.path / "checkpoints"

    @property
    def metrics(self) -> pathlib.Path:
        return self._results / "metrics.json"

    @property
    def report(self) -> pathlib.Path:
        return self._results / "report"

    @property
    def table(self) -> pathlib.Path:
        return self.path / "table.json"

    @property
    def state_density(self) -> pathlib.Path:
        own = self.path / "state_density.npz"
        in_output = self.output and not own.exists() and not os.access(self.path, os.W_OK)
        if not in_output:
            return own
        digest = hashlib.sha256(os.fsencode(self.path.resolve())).hexdigest()[:8]  # several runs may share the output
        return self.output / f"state_density_{digest}.npz"

    @property
    def _results(self) -> pathlib.Path:
        return self.output or self.path


def open_run(workdir: str | os.PathLike[str], config: Any) -> RunDirectory:
    """Checks that the directory can be made and written, or that the run in it has the same configuration.

    Raises:
      UserError: If it cannot be written, holds other files, or holds a run with another configuration.
    """
    directory = RunDirectory(workdir)
    if not hosts.is_main():
        return directory
    require_writable(directory.path, "workdir", "give another --workdir")
    if directory.config.exists():
        _require_same_config(directory, config)
    elif directory.path.exists() and not all(map(_is_left_over, directory.path.iterdir())):
        raise UserError(f"--workdir={workdir} holds files but no config.json, so no run; give a new or empty --workdir")
    return directory


def _is_left_over(path: pathlib.Path) -> bool:
    """Whether a file is left of a run that ended, however it ended, before its configuration was written."""
    return path.name.startswith(_LOCK) or whole_files.is_part(path)


def _nearest_existing(path: pathlib.Path) -> pathlib.Path:
    return next(parent for parent in (path, *path.absolute().parents) if parent.exists())


def _require_same_config(directory: RunDirectory, config: Any) -> None:
    damaged = False
    try:
        kept = read_config(directory, type(config))
    except DamagedConfigError:
        damaged = True
        kept = _config_of_checkpoint(directory, type(config)) or config
    old, new = (flatten(dataclasses.asdict(each)) for each in (absolute_paths(kept), config))
    changed = [name for name in old if not name.startswith(_MAY_CHANGE) and old[name] != new[name]]
    if _FINGERPRINT in changed and old[_FINGERPRINT] is None:  # a run from before fingerprints were kept
        changed.remove(_FINGERPRINT)
    if changed == [_FINGERPRINT]:
        raise UserError(
            f"the data have changed since the training in --workdir={directory.path} (fingerprint {old[_FINGERPRINT]}, "
            f"now {new[_FINGERPRINT]}); to continue it give the same data, to learn the new ones give another --workdir"
        )
    differences = [f"config.{name} was {old[name]}, now {new[name]}" for name in changed]
    if differences:
        raise UserError(
            f"--workdir={directory.path} holds a run of another configuration ({'; '.join(differences)}); to continue "
            "it give the same settings; to start afresh, or from its parameters with --config.training.init_from="
            f"{directory.path}, give another --workdir"
        )
    if damaged:
        print(f"warning: {directory.config} was damaged and is written again", file=sys.stderr)


def _config_of_checkpoint(directory: RunDirectory, config_class: type) -> Any:
    """The configuration that the newest whole checkpoint keeps; None if there is none, or its version keeps none."""
    from hgn_jax.training.checkpoints import CheckpointError, Checkpoints  # imports JAX

    try:
        values = Checkpoints(directory.checkpoints).read_notes()["config"]
        return _CONVERTER.structure(values, config_class)
    except (CheckpointError, FileNotFoundError, KeyError):
        return None


@contextlib.contextmanager
def lock(directory: RunDirectory, only_reads: bool = False) -> Iterator[None]:
    """Makes the directory and keeps other processes out of it; raises UserError if one is at work there.

    Args:
      directory: The directory.
      only_reads: Whether the block can do without writing into it. It then runs without the lock in a directory that
        it may not write into, such as a colleague's.
    """
    with contextlib.ExitStack() as stack:
        if hosts.is_main():
            try:
                directory.path.mkdir(parents=True, exist_ok=True)
                stack.enter_context(locks.held(directory.path / _LOCK))
            except locks.HeldError as error:
                advice = f"; {error}" if str(error) else ""
                raise UserError(
                    f"another process is at work in --workdir={directory.path}; wait for it or give another{advice}"
                ) from error
            except OSError as error:
                if not only_reads or error.errno not in (errno.EACCES, errno.EPERM, errno.EROFS):
                    raise UserError(f"cannot write to --workdir={directory.path}: {error.strerror}") from error
        yield


def require_writable(path: pathlib.Path, flag: str, advice: str) -> None:
    """Raises UserError, which names the flag of a directory and what to do, if the directory cannot be written."""
    try:
        os.fspath(path).encode("utf-8")
        with tempfile.TemporaryFile(dir=_nearest_existing(path)):
            pass
    except UnicodeEncodeError as error:  # Python cannot read the name, and other libraries refuse it
        raise UserError(f"--{flag}={path}: this locale cannot spell it; set LC_ALL=C.UTF-8, or {advice}") from error
    except OSError as error:
        raise UserError(f"cannot write to --{flag}={path}: {error.strerror}; {advice}") from error


def define_moved_data() -> Callable[[], dict[str, str]]:
    """Defines flags that say where the data of a run are now; returns a function of what they say."""
    define_path("data_dir", None, "Root of the data sets, if it is another one than in training.")
    define_path("source", None, "The films or the table that the run learned from, if they are elsewhere now.")
    return lambda: {name: os.path.abspath(flags.FLAGS[name].value) for name in _MOVED if flags.FLAGS[name].value}


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
        config = _CONVERTER.structure(values, config_class)
    except Exception as error:  # cattrs groups errors of many kinds
        reasons = "; ".join(cattrs.transform_error(error))
        raise UserError(f"{directory.config} is not a configuration of this version: {reasons}") from error
    return _with_moved_data(directory, config)


def _with_moved_data(directory: RunDirectory, config: Any) -> Any:
    """The configuration with the places where the data of the run are now."""
    changes = {}
    for name, place in directory.moved.items():
        own = vars(config.data) if hasattr(config, "data") else {}
        field = next((field for field in _MOVED[name] if field in own and (own[field] or field == "data_dir")), None)
        if field is None:
            raise UserError(f"--{name}={place}: the run in {directory.path} has no data of that kind")
        changes[field] = place
    return dataclasses.replace(config, data=dataclasses.replace(config.data, **changes)) if changes else config


def _read(directory: RunDirectory) -> tuple[Task, dict[str, Any]]:
    try:
        values = json.loads(directory.config.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise UserError(f"no run in --workdir={directory.path}: there is no {directory.config.name}") from error
    except ValueError as error:
        again = "the command that began the run writes it again"
        raise DamagedConfigError(f"{directory.config} is damaged ({first_line(error)}); {again}") from error
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
    with whole_files.whole_file(path) as part:
        part.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def flatten(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Flattens nested dictionaries: `{"a": {"b": 1}}` becomes `{"a.b": 1}`."""
    flat = {}
    for name, value in values.items():
        flat |= flatten(value, f"{prefix}{name}.") if isinstance(value, Mapping) else {prefix + name: value}
    return flat
