"""The provenance of a run: its configuration, the command that repeats it, and the circumstances."""

import dataclasses
import json
import shlex
from collections.abc import Mapping
from typing import Any, NamedTuple

from experiments.run.results import RunFacts
from experiments.run.run_directory import RunDirectory, flatten, read_task

# Fields that belong to one machine, or follow from the others.
_NOT_IN_COMMAND = ("preset", "data.data_dir", "data.fingerprint")


class Provenance(NamedTuple):
    """Origin of a run.

    Attributes:
      command: Command that repeats the run; empty if its preset belongs to another version.
      facts: Seed, device, times and versions, by name.
      config: All fields of the configuration by their dotted names, such as `training.batch_size`.
    """

    command: str
    facts: Mapping[str, str]
    config: Mapping[str, str]


def provenance(directory: RunDirectory, facts: RunFacts) -> Provenance:
    """Gathers the provenance from a run's `config.json` and the facts among its results."""
    task = read_task(directory)
    values = json.loads(directory.config.read_text())
    del values["program"]
    config = flatten(values)
    changes = _changes(task.presets, config)
    return Provenance(
        command="" if changes is None else _command(task.name, config["preset"], changes),
        facts=_describe(facts),
        config={name: _as_flag(value) for name, value in config.items()},
    )


def _changes(presets: Mapping[str, Any], config: Mapping[str, Any]) -> dict[str, Any] | None:
    """The fields that differ from the preset; None if there is no such preset."""
    if config["preset"] not in presets:
        return None
    preset = flatten(json.loads(json.dumps(dataclasses.asdict(presets[config["preset"]]))))
    return {
        name: value
        for name, value in config.items()
        if name not in _NOT_IN_COMMAND and (name not in preset or value != preset[name])
    }


def _command(program: str, preset: str, changes: Mapping[str, Any]) -> str:
    settings = {"config": preset} | {f"config.{name}": value for name, value in changes.items()}
    flags = [shlex.quote(f"--{name}={_as_flag(value)}") for name, value in settings.items()]
    return " ".join([f"python -m experiments.{program}", *flags, "--workdir=runs/again"])


def _as_flag(value: Any) -> str:
    return ",".join(map(str, value)) if isinstance(value, list) else str(value)


def _describe(facts: RunFacts) -> dict[str, str]:
    lines = {
        "preset": facts.preset,
        "steps": str(facts.steps),
        "seed": str(facts.seed),
        "device": facts.device,
        **{f"{part}, wall-clock time": _duration(seconds) for part, seconds in facts.wall_time_s.items()},
        **{f"{part}, processor time": _duration(seconds) for part, seconds in facts.cpu_time_s.items()},
    }
    if facts.multiplier is not None:
        limit = facts.multiplier.saturated
        lines["last multiplier of GECO"] = f"{facts.multiplier.last:.4g}{f', at its {limit}' if limit else ''}"
    return lines | {"versions": ", ".join(f"{name} {version}" for name, version in facts.versions.items())}


def _duration(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.1f} min"
