"""The rows of Table 1: the models that the paper compares, later ones, the runs of each, the published numbers."""

import functools
from collections.abc import Sequence
from typing import Any, NamedTuple

from experiments.clips.results import Errors, FrameResults
from experiments.reporting.names import REFERENCES
from experiments.run.command_line import UserError
from experiments.run.presets import pick
from experiments.run.results import read_results
from experiments.run.run_directory import RunDirectory, read_config, read_task
from experiments.tasks import TASKS

SYSTEMS = ("mass_spring", "pendulum", "two_body", "three_body")


class Row(NamedTuple):
    """A row of the table.

    Attributes:
      label: Name of the model, in the paper if it is there.
      program: Name of the program that trains it.
      preset: Part of the preset's name that follows the system's name.
      changes: Fields of the configuration that differ from the preset.
      published: Test MSE x 1e4 in the paper for each of `SYSTEMS`, with the standard deviation if it is given.
      small: End of the preset's name at the scale `small`.
      size: Fields of the size of the model that its runs have in common with the preset.
    """

    label: str
    program: str
    preset: str
    changes: dict[str, Any]
    published: Sequence[str] = ()
    small: str = "_small"
    size: Sequence[str] = ()


PAPER_ROWS = {
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
# Later models stand below those of the paper if there are runs of them.
ROWS = PAPER_ROWS | {
    "hgn_plus_plus": Row("HGN++", "hgn", "_plus_plus", {}),
    "hgn_anchored": Row("HGN (anchored)", "hgn", "_anchored", {}, small="", size=("state_channels", "num_keypoints")),
}
# Fields that distinguish the models of a program.
_IDENTIFYING_FIELDS = {
    "hgn": (
        "integrator", "variational", "use_transform", "inference_frames", "hamiltonian", "hamiltonian_network",
        "objective", "latent", "rollout_directions", "background", "chart", "kinetic", "confinement", "friction",
        "time_reversal", "sharpen_points", "frame_weight", "painter", "seen_frames",
        "refinement_steps", "training_refinement_steps", "refinement_target",
    ),
    "hnn": ("model",),
}  # fmt: skip

# Training steps of each run at the scale `small`: all 28 should take less than three hours on two cores.
_SMALL_STEPS = 1000

_LOCATIONS = ("data_dir", "source")  # the same data may lie elsewhere


def preset(row: Row, system: str, scale: str) -> str:
    """Returns the name of the preset of a row for a system, at the scale `small` or `paper`."""
    return f"{system}{row.preset}{row.small if scale == 'small' else ''}"


def changes(row: Row, scale: str) -> dict[str, Any]:
    """Returns the fields in which a row's runs differ from the preset, by their path in the configuration."""
    return dict(row.changes) if scale == "paper" else {**row.changes, "training.num_steps": _SMALL_STEPS}


def configuration(row: Row, system: str, scale: str) -> Any:
    """Returns the configuration of the run of a row for a system."""
    config = pick(TASKS[row.program].presets, preset(row, system, scale))
    for path, value in changes(row, scale).items():
        *parents, field = path.split(".")
        setattr(functools.reduce(getattr, parents, config), field, value)
    return config


class FinishedRun(NamedTuple):
    """A finished run of a model of frames.

    Attributes:
      directory: Directory of the run.
      config: Configuration of the run.
      row: Name of the row that it belongs to; None if its model is not in the table.
      results: Results of the run.
    """

    directory: RunDirectory
    config: Any
    row: str | None
    results: FrameResults

    @property
    def system(self) -> str:
        """The name of the data set."""
        return self.config.data.name

    @property
    def label(self) -> str:
        """The name of the model in tables and figures."""
        return ROWS[self.row].label if self.row else self.config.program.upper()


def read_run(directory: RunDirectory) -> FinishedRun:
    """Reads a finished run of a model of frames; raises UserError if it is not finished."""
    task = read_task(directory)
    config = read_config(directory, task.config_class)
    return FinishedRun(directory, config, find_row(config), read_results(directory.metrics, task.results_class(config)))


def is_compared(directory: RunDirectory) -> bool:
    """Returns whether a run belongs to the table, finished or not; raises UserError if there is no run."""
    config = read_config(directory, read_task(directory).config_class)
    return find_row(config) is not None and config.data.name in SYSTEMS


def find_row(config: Any) -> str | None:
    """Returns the name of the row that a configuration belongs to, or None."""
    for name, row in ROWS.items():
        if row.program == config.program:
            system = config.data.name if config.data.name in SYSTEMS else SYSTEMS[0]
            full = TASKS[row.program].presets[system + row.preset]
            names = (*_IDENTIFYING_FIELDS[row.program], *row.size)
            fields = {field: getattr(full, field) for field in names} | row.changes
            if all(getattr(config, field) == value for field, value in fields.items()):
                return name
    return None


Runs = dict[tuple[str, str], FinishedRun]  # by system and row


def read_runs(paths: Sequence[str]) -> Runs:
    """Reads the finished runs that belong to the table; others are left out.

    Raises:
      UserError: For a path without a run, two runs of one model, or runs of one system on different data or frames.
    """
    directories = [RunDirectory(path) for path in paths]
    return arrange([read_run(run) for run in directories if is_compared(run) and run.metrics.exists()])


def left_out(paths: Sequence[str]) -> dict[str, list[str]]:
    """Returns the runs that `read_runs` leaves out, by the reason; raises UserError for a path without a run."""
    reasons: dict[str, list[str]] = {}
    for path in paths:
        directory = RunDirectory(path)
        program = read_task(directory).name
        if program not in _IDENTIFYING_FIELDS:
            reason = f"{program} is no model of frames; python -m experiments.{program}_table shows its runs"
        elif not is_compared(directory):
            reason = "the model or the data are not in the table"
        elif not directory.metrics.exists():
            reason = "not finished"
        else:
            continue
        reasons.setdefault(reason, []).append(path)
    return reasons


def arrange(runs: Sequence[FinishedRun]) -> Runs:
    """Arranges runs by system and row; raises UserError for runs that cannot stand in one table."""
    arranged: Runs = {}
    for run in runs:
        other = arranged.setdefault((run.system, run.row), run)
        if other is not run:
            raise UserError(f"{other.directory.path} and {run.directory.path} are both {run.label} of {run.system}")
    for system in SYSTEMS:
        _require_same_data([run for run in runs if run.system == system])
    return arranged


def _require_same_data(runs: Sequence[FinishedRun]) -> None:
    for run in runs[1:]:
        first, other = _measured_on(runs[0]), _measured_on(run)
        for field, value in first.items():
            if other[field] != value:
                raise UserError(
                    f"{runs[0].directory.path} and {run.directory.path} cannot stand in one table: {field} is {value} "
                    f"in the first and {other[field]} in the second"
                )


def _measured_on(run: FinishedRun) -> dict[str, Any]:
    data = {name: value for name, value in vars(run.config.data).items() if name not in _LOCATIONS}
    return data | {
        "image_size": run.config.image_size,
        "evaluation.num_examples": run.results.test.num_examples,
        "frames": len(run.results.test.mse_per_step),
    }


def cells(runs: Runs, split: str) -> dict[str, list[str]]:
    """Returns the error x 1e4 with the skill for each system, or `missing`, by the labels of models and references.

    Models that are not in the paper are left out if there is no run of them.
    """
    table = {}
    for name, row in ROWS.items():
        model_runs = [runs.get((system, name)) for system in SYSTEMS]
        if name not in PAPER_ROWS and not any(model_runs):
            continue
        table[row.label] = [_cell(run and getattr(run.results, split)) for run in model_runs]
    for reference, label in REFERENCES.items():
        any_runs = [next((run for run in runs.values() if run.system == system), None) for system in SYSTEMS]
        table[label] = [_cell(run and getattr(run.results, split).reference[reference]) for run in any_runs]
    return table


def _cell(errors: Errors | None) -> str:
    if errors is None:
        return "missing"
    text = f"{errors.mse * 1e4:.2f} ± {errors.mse_std * 1e4:.2f}"
    skill = getattr(errors, "skill", None)  # reference rows have none
    return text if skill is None else f"{text} ({skill:.3f})"
