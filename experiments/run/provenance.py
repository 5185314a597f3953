"""How a run came about: its configuration, the command that makes it again, and on what it ran."""

import dataclasses
import importlib
import json
import shlex
from collections.abc import Mapping
from typing import Any, NamedTuple

from experiments.run.run_directory import RunDirectory, flatten

_PRESETS = {"hgn": "experiments.hgn.presets", "hnn": "experiments.hnn.presets", "nhf": "experiments.nhf.presets"}
# What belongs to one machine, or follows from the rest.
_NOT_IN_COMMAND = ("preset", "data.data_dir", "data.fingerprint")


class Provenance(NamedTuple):
    """How a run came about.

    Attributes:
      command: what makes it again; empty if its preset is of another version.
      beyond_flags: fields that the command leaves as in the preset, since no flag can set them as they were.
      facts: name to value: seed, device, times, versions.
      config: all fields of the configuration, flattened: `training.batch_size` to `16`.
    """

    command: str
    beyond_flags: tuple[str, ...]
    facts: Mapping[str, str]
    config: Mapping[str, str]


def provenance(run: RunDirectory, facts: dict[str, Any]) -> Provenance:
    """Gathers it from the run's `config.json` and from the facts that its `metrics.json` has under `run`."""
    values = json.loads(run.config.read_text())
    program = values.pop("program")
    config = flatten(values)
    changed = _changes(program, config)
    return Provenance(
        "" if changed is None else _command(program, config["preset"], changed),
        tuple(name for name, value in (changed or {}).items() if value is None),
        _facts(facts, config),
        {name: _text(value) for name, value in config.items()},
    )


def _changes(program: str, config: Mapping[str, Any]) -> dict[str, Any] | None:
    """The fields that are not as in the preset; None if there is no such preset."""
    presets = importlib.import_module(_PRESETS[program]).PRESETS
    if config["preset"] not in presets:
        return None
    preset = flatten(json.loads(json.dumps(dataclasses.asdict(presets[config["preset"]]))))
    return {
        name: value
        for name, value in config.items()
        if name not in _NOT_IN_COMMAND and (name not in preset or value != preset[name])
    }


def _command(program: str, preset: str, changes: Mapping[str, Any]) -> str:
    settings = {"config": preset} | {f"config.{name}": value for name, value in changes.items() if value is not None}
    flags = [shlex.quote(f"--{name}={_text(value)}") for name, value in settings.items()]
    return " ".join([f"python -m experiments.{program}", *flags, "--workdir=runs/again"])


def _text(value: Any) -> str:
    """A value as a flag takes it."""
    return ",".join(map(str, value)) if isinstance(value, list) else str(value)


def _facts(run: dict[str, Any], config: Mapping[str, Any]) -> dict[str, str]:
    facts = {
        "preset": run["preset"],
        "steps": str(run["steps"]),
        "seed": str(run["seed"]),
        "device": run["device"],
        **{f"{part}, by the clock": _duration(seconds) for part, seconds in run["wall_time_s"].items()},
        **{f"{part}, of the processor": _duration(seconds) for part, seconds in run["cpu_time_s"].items()},
    }
    if config.get("objective") == "geco":
        limit = run["multiplier"]["saturated"]
        facts["last multiplier of GECO"] = f"{run['multiplier']['last']:.4g}{f', at its {limit}' if limit else ''}"
    return facts | {"versions": ", ".join(f"{name} {version}" for name, version in run["versions"].items())}


def _duration(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.1f} min"
