"""Prints the tables of finished runs beyond their clips, in Markdown: `python -m experiments.beyond_table runs/*`.

Numbers are medians over seeds, with the range in brackets. `--output=results/anchored` writes the tables, and for each
run a JSON file with its numbers, the command that repeats it, the device and the times.
"""

import pathlib
import shlex
import subprocess
from collections import defaultdict
from collections.abc import Callable, Sequence
from statistics import median
from typing import Any, NamedTuple

from absl import flags

from experiments.clips.config import SYSTEMS
from experiments.clips.results import BeyondTheClip, FrameResults
from experiments.reporting.names import pretty
from experiments.reporting.tables import Table, to_markdown
from experiments.run import command_line
from experiments.run.command_line import UserError
from experiments.run.provenance import provenance
from experiments.run.results import read_results, to_json
from experiments.run.run_directory import RunDirectory, read_config, read_task, write_json

_RECIPES = {
    "hgn": "paper's recipe",
    "hgn_plus_plus": "HGN++",
    "hgn_anchored": "anchored",
    "hgnvideo": "anchored",
    "hnn": "HNN",
}
_SIZES = ("_small", "_noise_free")  # in the names of presets; the data set says the same
# Overrides that do not make another recipe. Those of the data are named by the row or by its table.
_OTHER_OVERRIDES = (
    "config.training.seed=", "config.training.checkpoint_every=", "config.training.log_every=", "config.evaluation.",
    "config.data.name=", "config.data.config=", "config.data.source=",
)  # fmt: skip
_MISSING = "–"


class FinishedRun(NamedTuple):
    """A finished run of a model of frames.

    Attributes:
      name: Name of its directory.
      system: Name of the simulated system, or of the directory of films.
      data: Configuration of the data set, such as `small`.
      recipe: The model and its preset, followed by the overrides if there are any.
      command: The command that repeats it.
      results: Its results.
    """

    name: str
    system: str
    data: str
    recipe: str
    command: str
    results: FrameResults

    @property
    def beyond(self) -> BeyondTheClip:
        """Measurements beyond the clip."""
        return self.results.beyond_the_clip


Rows = dict[str, list[FinishedRun]]  # the seeds of each row, by its name
Number = Callable[[FinishedRun], float | None]


class Column(NamedTuple):
    """A column of a table.

    Attributes:
      name: Its name.
      number: Number of a run.
      form: Format of a number.
    """

    name: str
    number: Number
    form: str = ".3f"


def read_runs(paths: Sequence[str]) -> list[FinishedRun]:
    """Reads finished runs of models of frames; others are left out.

    Raises:
      UserError: For a path without a run, if two runs have the same name, or if no run is left.
    """
    runs = [run for path in paths if (run := _read(RunDirectory(path))) is not None]
    if not runs:
        raise UserError("no run among the directories given is finished and was measured beyond its clips")
    names = [run.name for run in runs]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise UserError(f"several runs are called {twice[0]}; give directories of different names")
    return sorted(runs, key=lambda run: run.results.run.seed)


def _read(directory: RunDirectory) -> FinishedRun | None:
    task = read_task(directory)
    config = read_config(directory, task.config_class)
    results_class = task.results_class(config)
    if not issubclass(results_class, FrameResults) or not directory.metrics.exists():
        return None
    results = read_results(directory.metrics, results_class)
    if results.beyond_the_clip is None:
        return None
    command = provenance(directory, results.run).command
    recipe = _recipe(task.name, config, command)
    films = config.data.source
    system = pathlib.Path(films).name if films else config.data.name
    command = command.replace(films, system) if films else command  # films lie elsewhere on other machines
    return FinishedRun(directory.path.resolve().name, system, config.data.config, recipe, command, results)


def _recipe(program: str, config: Any, command: str) -> str:
    preset = config.preset.removeprefix(config.data.name)
    for size in _SIZES:
        preset = preset.replace(size, "")
    name = _RECIPES.get(f"{program}{preset}", f"{program.upper()} `{config.preset}`")
    overrides = [flag.removeprefix("--") for flag in shlex.split(command) if flag.startswith("--config.")]
    variant = [flag.removeprefix("config.") for flag in overrides if not flag.startswith(_OTHER_OVERRIDES)]
    return ", ".join([name, *(f"`{flag}`" for flag in variant)])


def tables(runs: Sequence[FinishedRun]) -> list[Table]:
    """Returns the tables of each configuration of the data: skill, the state, new trajectories and physics, cost."""
    return [
        _table(f"{data}: {title}", rows, columns)
        for data, rows in _groups(runs).items()
        for title, columns in _tables_of_columns().items()
    ]


def _groups(runs: Sequence[FinishedRun]) -> dict[str, Rows]:
    """The runs by the configuration of their data and by row, in the order of the systems and of the recipes."""
    systems, recipes = list(SYSTEMS), list(_RECIPES.values())

    def order(run: FinishedRun) -> tuple:
        name = run.recipe.partition(",")[0]
        return (
            run.data,
            systems.index(run.system) if run.system in systems else len(systems),
            run.system,
            recipes.index(name) if name in recipes else len(recipes),
            run.recipe,
            run.results.run.seed,
        )

    groups: dict[str, Rows] = defaultdict(lambda: defaultdict(list))
    for run in sorted(runs, key=order):
        groups[run.data][f"{pretty(run.system)}, {run.recipe}"].append(run)
    return groups


def _tables_of_columns() -> dict[str, list[Column]]:
    """The columns of the tables by their titles."""
    skill = [Column("in the clip", lambda run: run.beyond.skill)]
    for step in ("10", "30", "60", "100"):
        skill.append(Column(f"+{step}", lambda run, step=step: run.beyond.skill_forward.get(step)))
        skill.append(Column(f"−{step}", lambda run, step=step: run.beyond.skill_backward.get(step)))
    state = []
    for i, side in enumerate(("after", "before")):
        state.append(Column(f"VPT {side}", lambda run, i=i: run.beyond.vpt[i], ".0f"))
        state.append(Column(f"horizon {side}", lambda run, i=i: run.beyond.horizon[i], ".0f"))
    state += [
        Column("clock share", lambda run: run.beyond.clock_share, ".2g"),
        Column("re-encoding error", lambda run: run.beyond.reencoding_error, ".2g"),
        Column("nats", lambda run: run.beyond.kl_nats, ".0f"),
        Column("true dimensions", lambda run: run.beyond.true_dimensions, ".0f"),
    ]
    samples = [
        Column("right frames", _sample("fidelity")),
        Column("60 steps later", _sample("fidelity_after_60")),
        Column("distance of energies", _sample("energy_distance")),
        Column("distance of positions", _sample("position_distance")),
    ]
    physics = [
        Column("error of the period", lambda run: run.beyond.period_error, ".2g"),
        Column("rank correlation of energies", lambda run: run.beyond.energy_rank_correlation),
        Column("SyMetric", lambda run: run.beyond.symetric, ".2g"),
        Column("exponent", _law("exponent")),
        Column("flatness", _law("flatness"), ".2g"),
        Column("R² of the law", _law("r_squared"), ".5f"),
        Column("mass ratio", _law("mass_ratio")),
        Column("constant", _law("constant")),
        Column("true constant", _law("true_constant")),
    ]
    cost = [
        Column("steps", lambda run: run.results.run.steps, ".0f"),
        Column("training, minutes", _minutes("training"), ".1f"),
        Column("evaluation, minutes", _minutes("evaluation"), ".1f"),
    ]
    return {
        "skill": skill,
        "how long it holds, and the state": state,
        "new trajectories": samples,
        "physics": physics,
        "cost": cost,
    }


def _sample(name: str) -> Number:
    return lambda run: None if run.beyond.samples is None else getattr(run.beyond.samples, name)


def _law(name: str) -> Number:
    return lambda run: None if run.beyond.law is None else getattr(run.beyond.law, name)


def _minutes(part: str) -> Number:
    return lambda run: run.results.run.wall_time_s[part] / 60.0


def _table(heading: str, rows: Rows, columns: Sequence[Column]) -> Table:
    """A table without the columns that are empty for all rows."""
    cells = {column.name: [_cell(column, runs) for runs in rows.values()] for column in columns}
    cells = {name: column for name, column in cells.items() if set(column) != {_MISSING}}
    seeds = [", ".join(str(run.results.run.seed) for run in runs) for runs in rows.values()]
    return Table(heading, list(zip(rows, seeds, *cells.values(), strict=True)), columns=("seeds", *cells))


def _cell(column: Column, runs: Sequence[FinishedRun]) -> str:
    """The median over seeds and the range, if there is one."""
    numbers = [number for run in runs if (number := column.number(run)) is not None]
    if not numbers:
        return _MISSING
    smallest, middle, largest = (f"{x:{column.form}}" for x in (min(numbers), median(numbers), max(numbers)))
    return middle if smallest == largest else f"{middle} ({smallest} … {largest})"


def record(run: FinishedRun, commit: str) -> dict[str, Any]:
    """Returns what the JSON file of a run holds."""
    facts = run.results.run
    return {
        "command": run.command,
        "commit": commit,
        "system": run.system,
        "data": run.data,
        "recipe": run.recipe,
        "preset": facts.preset,
        "seed": facts.seed,
        "steps": facts.steps,
        "device": facts.device,
        "wall_time_s": facts.wall_time_s,
        "cpu_time_s": facts.cpu_time_s,
        "versions": facts.versions,
        "beyond_the_clip": to_json(run.results)["beyond_the_clip"],
    }


def write(runs: Sequence[FinishedRun], directory: pathlib.Path, commit: str) -> None:
    """Writes `table.md` and the JSON file of each run into a directory."""
    directory.mkdir(parents=True, exist_ok=True)
    for run in runs:
        write_json(directory / f"{run.name}.json", record(run, commit))
    (directory / "table.md").write_text(_markdown(runs), encoding="utf-8")


def _markdown(runs: Sequence[FinishedRun]) -> str:
    return "\n\n".join(map(to_markdown, tables(runs))) + "\n"


def _current_commit() -> str:
    result = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=False)
    if result.returncode:
        raise UserError(f"--commit is missing, and this is no checkout: {result.stderr.strip()}")
    return result.stdout.strip()


def main(argv: Sequence[str]) -> None:
    runs = read_runs(argv[1:])
    if _OUTPUT.value:
        write(runs, pathlib.Path(_OUTPUT.value), _COMMIT.value or _current_commit())
    print(_markdown(runs), end="")


if __name__ == "__main__":
    _OUTPUT = command_line.define_path("output", None, "Directory for the tables and the JSON file of each run.")
    _COMMIT = flags.DEFINE_string("commit", None, "Commit that the runs were made at; by default the current one.")
    command_line.run(main, takes_arguments=True)
