"""The models that Table 1 of the paper compares: their names, how a run of each is told, and the published numbers."""

import dataclasses
import functools
import json
import pathlib
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from experiments.hgn import presets
from experiments.hnn import presets as hnn_presets
from experiments.run.command_line import UserError
from experiments.run.run_directory import RunDirectory, read_config, read_task

SYSTEMS = ("mass_spring", "pendulum", "two_body", "three_body")


class Row(NamedTuple):
    """A row of the table.

    Attributes:
      label: in the words of the paper.
      program: that trains it.
      preset: what follows the system's name in the name of its preset.
      changes: fields of the preset that are other than in the full model.
      published: test MSE x 1e4 of the paper for each of `SYSTEMS`, with its standard deviation where it is given.
    """

    label: str
    program: str
    preset: str
    changes: dict[str, Any]
    published: Sequence[str]


ROWS = {
    "hnn": Row("HNN", "hnn", "", {}, ("104.37", "64.62", "78.9", "57.54")),
    "hnn_conv": Row("HNN (conv)", "hnn", "_conv", {}, ("119.09", "106.07", "120.71", "62.77")),
    "hgn_euler": Row(
        "HGN (Euler)", "hgn", "", {"integrator": "euler"},
        ("6.2 ± 2.69", "10.93 ± 4.32", "15.06 ± 7.01", "9.4 ± 3.92"),
    ),
    "hgn_deterministic": Row(
        "HGN (determ)", "hgn", "", {"variational": False},
        ("3.07 ± 1.06", "10.68 ± 3.19", "14.47 ± 5.24", "5.17 ± 1.96"),
    ),
    "hgn_no_f_psi": Row(
        "HGN (no f_ψ)", "hgn", "", {"use_transform": False},
        ("7.04 ± 2.55", "13.98 ± 4.94", "16.49 ± 6.6", "10.41 ± 3.72"),
    ),
    "hgn_5_frames": Row("HGN (5 frames)", "hgn", "", {"inference_frames": 5}, ("-",) * 4),
    "hgn_leapfrog": Row(
        "HGN (leapfrog)", "hgn", "", {},
        ("6.23 ± 2.03", "11.72 ± 4.14", "16.47 ± 7.15", "9.8 ± 3.72"),
    ),
}  # fmt: skip
# What tells the runs of a program from each other.
_TELLING = {
    "hgn": (
        "integrator", "variational", "use_transform", "inference_frames", "hamiltonian", "hamiltonian_network",
        "objective", "latent", "rollout_directions",
    ),
    "hnn": ("model",),
}  # fmt: skip
REFERENCES = {"mean_image": "mean image", "first_frame": "first frame held", "noise_floor": "noise floor"}

# Steps of every run at the scale `small`, so few that all 28 are meant to take less than three hours on two cores.
_SMALL_STEPS = 1000

_MODULES = {"hgn": presets, "hnn": hnn_presets}
# Where the data lie does not make them others.
_PLACES = ("data_dir", "source")


def preset(row: Row, system: str, scale: str) -> str:
    """The name of the preset that a row takes for a system at a scale, `small` or `paper`."""
    return f"{system}{row.preset}{'_small' if scale == 'small' else ''}"


def changes(row: Row, scale: str) -> dict[str, Any]:
    """The fields in which a row's runs differ from the preset, by their path in the configuration."""
    return dict(row.changes) if scale == "paper" else {**row.changes, "training.num_steps": _SMALL_STEPS}


def configuration(row: Row, system: str, scale: str) -> Any:
    """The configuration of the run of a row and a system."""
    config = _MODULES[row.program].get(preset(row, system, scale))
    for path, value in changes(row, scale).items():
        *parents, field = path.split(".")
        setattr(functools.reduce(getattr, parents, config), field, value)
    return config


class Run(NamedTuple):
    """A finished run: where, of which system and row, its `metrics.json`, and what it was measured on."""

    path: pathlib.Path
    system: str
    row: str
    results: dict[str, Any]
    measured_on: dict[str, Any]


def read_runs(paths: Sequence[str]) -> dict[tuple[str, str], Run]:
    """The finished runs that have a place in the table, by system and row; others are left out.

    Raises:
      UserError: for a path without a run, two runs for one place, or runs of one system on different data or frames.
    """
    runs: dict[tuple[str, str], Run] = {}
    for path in paths:
        run = read_run(pathlib.Path(path))
        if run is None:
            continue
        place = (run.system, run.row)
        if place in runs:
            raise UserError(f"{runs[place].path} and {run.path} are both {ROWS[run.row].label} of {run.system}")
        runs[place] = run
    for system in SYSTEMS:
        _require_same_data([run for (of, _), run in runs.items() if of == system])
    return runs


def read_run(path: pathlib.Path) -> Run | None:
    """A finished run; None if it is not finished or has no place in the table."""
    run = RunDirectory(path)
    program = read_task(run).name
    if program not in _MODULES or not run.metrics.exists():
        return None
    config = read_config(run, _MODULES[program].Config)
    row = find_row(config)
    if row is None or config.data.name not in SYSTEMS:
        return None
    data = {name: value for name, value in dataclasses.asdict(config.data).items() if name not in _PLACES}
    results = json.loads(run.metrics.read_text())
    measured_on = data | {
        "image_size": config.image_size,
        "evaluation.num_examples": results["test"]["num_examples"],
        "frames": len(results["test"]["mse_per_step"]),
    }
    return Run(path, config.data.name, row, results, measured_on)


def find_row(config: Any) -> str | None:
    """The row that a configuration belongs to, None if it is of none of them."""
    for name, row in ROWS.items():
        if row.program == config.program:
            full = _MODULES[row.program].get(SYSTEMS[0] + row.preset)
            fields = {field: getattr(full, field) for field in _TELLING[row.program]} | row.changes
            if all(getattr(config, field) == value for field, value in fields.items()):
                return name
    return None


def _require_same_data(runs: Sequence[Run]) -> None:
    for run in runs[1:]:
        for field, value in runs[0].measured_on.items():
            if run.measured_on[field] != value:
                raise UserError(
                    f"{runs[0].path} and {run.path} cannot stand in one table: {field} is {value} in the first and "
                    f"{run.measured_on[field]} in the second"
                )


def cells(runs: dict[tuple[str, str], Run], split: str) -> dict[str, list[str]]:
    """The table of a split: by label, for each system the error x 1e4 and the skill; what is not there is `missing`."""
    table = {
        row.label: [_cell(runs.get((system, name)), lambda results: results[split]) for system in SYSTEMS]
        for name, row in ROWS.items()
    }
    for reference, label in REFERENCES.items():
        of_system = [next((run for (of, _), run in runs.items() if of == system), None) for system in SYSTEMS]
        pick = _reference(split, reference)
        table[label] = [_cell(run, pick) for run in of_system]
    return table


def _reference(split: str, name: str) -> Callable[[dict[str, Any]], dict[str, Any]]:
    return lambda results: results[split]["reference"][name]


def _cell(run: Run | None, pick: Callable[[dict[str, Any]], dict[str, Any]]) -> str:
    if run is None:
        return "missing"
    numbers = pick(run.results)
    text = f"{numbers['mse'] * 1e4:.2f} ± {numbers['mse_std'] * 1e4:.2f}"
    return f"{text} ({numbers['skill']:.3f})" if "skill" in numbers else text
