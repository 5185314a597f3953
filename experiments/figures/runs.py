"""The finished runs that figures are drawn from, by system. No JAX is imported here."""

from collections.abc import Mapping, Sequence

from experiments.clips.results import EnergyStatistics
from experiments.comparison import rows as comparison
from experiments.comparison.rows import ROWS, SYSTEMS, FinishedRun
from experiments.run.command_line import UserError
from experiments.run.run_directory import RunDirectory, read_config, require_checkpoint
from experiments.tasks import TASKS

Groups = dict[str, list[FinishedRun]]  # by system


def read_one(path: str, moved: Mapping[str, str] | None = None) -> Groups:
    """Reads a finished run of `experiments.hgn`, of any configuration; raises UserError if there is none."""
    directory = RunDirectory(path, moved=moved or {})
    read_config(directory, TASKS["hgn"].config_class)
    run = _read(directory)
    return {run.system: [run]}


def read_several(paths: Sequence[str], moved: Mapping[str, str] | None = None) -> tuple[Groups, list[str]]:
    """Reads finished runs of the paper's comparison; others are left out.

    Returns:
      The runs by system, systems and models in the order of the comparison; and the paths of the runs left out.

    Raises:
      UserError: For a path without a run, a run that is not finished, two runs of one model, runs of one system on
        different data, or a system without a run of HGN.
    """
    directories = {path: RunDirectory(path, moved=moved or {}) for path in paths}
    compared = {path: comparison.is_compared(directory) for path, directory in directories.items()}
    runs = comparison.arrange([_read(directories[path]) for path in paths if compared[path]])
    if not runs:
        labels = ", ".join(row.label for row in ROWS.values())
        raise UserError(f"none of the runs given belongs to the comparison of {labels}")
    groups = {system: [runs[system, row] for row in ROWS if (system, row) in runs] for system in SYSTEMS}
    groups = {system: group for system, group in groups.items() if group}
    for system, group in groups.items():
        _require_hgn(system, group)
    return groups, [path for path in paths if not compared[path]]


def _read(directory: RunDirectory) -> FinishedRun:
    run = comparison.read_run(directory)
    require_checkpoint(directory)
    return run


def _require_hgn(system: str, runs: Sequence[FinishedRun]) -> None:
    if all(run.config.program != "hgn" for run in runs):
        raise UserError(
            f"the runs of {system} are {', '.join(run.label for run in runs)}; rollouts, samples and phase portrait "
            "need a run of experiments.hgn as well"
        )


def full_model(runs: Sequence[FinishedRun]) -> FinishedRun:
    """Returns the HGN whose rollouts and samples are shown: the full model, or else the last HGN in the table."""
    hgns = [run for run in runs if run.config.program == "hgn"]
    return next((run for run in hgns if run.row == "hgn_leapfrog"), hgns[-1])


def own_energy(run: FinishedRun) -> EnergyStatistics | None:
    """Returns the statistics of the learned energy along rollouts by the model's own integrator, if measured."""
    return run.results.dynamics.energy.get(run.config.integrator)
