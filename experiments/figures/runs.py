"""Which runs the figures are drawn from: finished ones, by the system that they are of. No JAX is imported here."""

import json
import pathlib
from collections.abc import Sequence
from typing import Any, NamedTuple

from experiments.comparison import rows as comparison
from experiments.comparison.rows import ROWS, SYSTEMS
from experiments.hgn import presets
from experiments.hnn import presets as hnn_presets
from experiments.run.command_line import UserError
from experiments.run.run_directory import RunDirectory, read_config, read_task, require_checkpoint

_CONFIGS = {"hgn": presets.Config, "hnn": hnn_presets.Config}
SPLITS = ("train", "test")


class Model(NamedTuple):
    """A finished run, as the figures show it.

    Attributes:
      label: what it is called in them.
      run: its directory.
      config: its configuration.
      results: what its `metrics.json` holds.
    """

    label: str
    run: RunDirectory
    config: Any
    results: dict[str, Any]


Groups = dict[str, list[Model]]  # by system


def read_one(path: str) -> Groups:
    """A finished run of `experiments.hgn` of any configuration; raises UserError if there is none."""
    run = RunDirectory(pathlib.Path(path))
    config = read_config(run, presets.Config)
    row = comparison.find_row(config)
    model = Model(ROWS[row].label if row else "HGN", run, config, _read_results(run))
    require_checkpoint(run)
    return {config.data.name: [model]}


def read_several(paths: Sequence[str]) -> tuple[Groups, list[str]]:
    """The finished runs of the paper's comparison, systems and models in its order, and the paths of other runs.

    Raises:
      UserError: for a path without a run, a run that is not finished, two runs of one model, runs of a system on
        different data, or a system without a run of HGN.
    """
    found: dict[str, tuple[RunDirectory, Any]] = {}
    left_out = []
    for path in paths:
        run = RunDirectory(pathlib.Path(path))
        config = _read_compared(run)
        if config is None:
            left_out.append(path)
            continue
        _read_results(run)  # so that what is wrong with one is said of that one
        require_checkpoint(run)
        found[str(run.path)] = run, config
    runs = comparison.read_runs(list(found))
    groups: Groups = {}
    for system in SYSTEMS:
        chosen = [runs[system, row] for row in ROWS if (system, row) in runs]
        if chosen:
            groups[system] = [Model(ROWS[run.row].label, *found[str(run.path)], run.results) for run in chosen]
            _require_hgn(system, groups[system])
    if not groups:
        raise UserError(f"none of the runs given is of the comparison: {', '.join(row.label for row in ROWS.values())}")
    return groups, left_out


def full_model(models: Sequence[Model]) -> Model:
    """The HGN whose rollouts and samples are shown: the full model, or else the last of the others in the table."""
    hgns = [model for model in models if model.config.program == "hgn"]
    return next((model for model in hgns if model.label == ROWS["hgn_leapfrog"].label), hgns[-1])


def own_energy(model: Model) -> dict[str, float | None] | None:
    """The statistics of the learned energy along rollouts by the model's own integrator; None if not measured."""
    return model.results["dynamics"]["energy"].get(model.config.integrator)


def _read_compared(run: RunDirectory) -> Any:
    """The configuration of a run that has a place in the comparison; None if it has none."""
    program = read_task(run).name
    if program not in _CONFIGS:
        return None
    config = read_config(run, _CONFIGS[program])
    return config if config.data.name in SYSTEMS and comparison.find_row(config) else None


def _read_results(run: RunDirectory) -> dict[str, Any]:
    try:
        results = json.loads(run.metrics.read_text())
        for split in SPLITS:
            results[split]["mse_per_step"], results[split]["reference"]
        results["dynamics"]["energy"]
    except FileNotFoundError as error:
        raise UserError(f"{run.path} is not finished: there is no {run.metrics.name}") from error
    except (ValueError, TypeError, LookupError) as error:
        again = f"python -m experiments.evaluate --workdir={run.path}"
        raise UserError(f"{run.metrics} is damaged or not of this version ({error}); measure again: {again}") from error
    return results


def _require_hgn(system: str, models: Sequence[Model]) -> None:
    if all(model.config.program != "hgn" for model in models):
        raise UserError(
            f"the runs of {system} are {', '.join(model.label for model in models)}: its rollouts, samples and phase "
            "portrait need a run of experiments.hgn too"
        )
