"""Prints the tables of finished runs beyond their clips, in Markdown: `python -m experiments.beyond_table runs/*`.

Numbers are medians over seeds, with the range in brackets. `--output=results/anchored` writes for each run a JSON file
with its numbers, the command that repeats it, the device and the times. Such files can be given instead of runs.
"""

import dataclasses
import pathlib
import shlex
import subprocess
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
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
from experiments.run.results import RunFacts, read_results, read_versioned, write_versioned
from experiments.run.run_directory import RunDirectory, read_config, read_task

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


@dataclasses.dataclass(frozen=True)
class Record:
    """A finished run of a model of frames, as its JSON file holds it.

    Attributes:
      command: The command that repeats it.
      commit: The commit that it was made at; empty if it is not known.
      system: Name of the simulated system, or of the directory of films.
      data: Configuration of the data set, such as `small`.
      recipe: The model and its preset, followed by the overrides if there are any.
      run: Facts about the run.
      beyond_the_clip: Measurements beyond the clip.
    """

    command: str
    commit: str
    system: str
    data: str
    recipe: str
    run: RunFacts
    beyond_the_clip: BeyondTheClip


Rows = dict[str, list[Record]]  # the seeds of each row, by its name
Number = Callable[[Record], float | None]


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


def read_records(paths: Sequence[str], commit: str = "") -> dict[str, Record]:
    """Reads finished runs of models of frames, or their JSON files, by their names; others are left out.

    Args:
      paths: Directories of runs, and files.
      commit: The commit that the runs were made at. A file has its own.

    Raises:
      UserError: For a path without a run, if two runs have the same name, or if no run is left.
    """
    records: dict[str, Record] = {}
    for path in map(pathlib.Path, paths):
        name = path.resolve().name.removesuffix(".json")
        record = read_versioned(path, Record) if path.suffix == ".json" else _read(RunDirectory(path), commit)
        if record is None:
            continue
        if name in records:
            raise UserError(f"several runs are called {name}; give directories or files of different names")
        records[name] = record
    if not records:
        raise UserError("no run among the directories given is finished and was measured beyond its clips")
    return records


def _read(directory: RunDirectory, commit: str) -> Record | None:
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
    return Record(command, commit, system, config.data.config, recipe, results.run, results.beyond_the_clip)


def _recipe(program: str, config: Any, command: str) -> str:
    preset = config.preset.removeprefix(config.data.name)
    for size in _SIZES:
        preset = preset.replace(size, "")
    name = _RECIPES.get(f"{program}{preset}", f"{program.upper()} `{config.preset}`")
    overrides = [flag.removeprefix("--") for flag in shlex.split(command) if flag.startswith("--config.")]
    variant = [flag.removeprefix("config.") for flag in overrides if not flag.startswith(_OTHER_OVERRIDES)]
    return ", ".join([name, *(f"`{flag}`" for flag in variant)])


def tables(records: Iterable[Record]) -> list[Table]:
    """Returns the tables of each configuration of the data: skill, the state, new trajectories and physics, cost."""
    return [
        _table(f"{data}: {title}", rows, columns)
        for data, rows in _groups(records).items()
        for title, columns in _tables_of_columns().items()
    ]


def _groups(records: Iterable[Record]) -> dict[str, Rows]:
    """The runs by the configuration of their data and by row, in the order of the systems and of the recipes."""
    systems, recipes = list(SYSTEMS), list(_RECIPES.values())

    def order(record: Record) -> tuple:
        name = record.recipe.partition(",")[0]
        return (
            record.data,
            systems.index(record.system) if record.system in systems else len(systems),
            record.system,
            recipes.index(name) if name in recipes else len(recipes),
            record.recipe,
            record.run.seed,
        )

    groups: dict[str, Rows] = defaultdict(lambda: defaultdict(list))
    for record in sorted(records, key=order):
        groups[record.data][f"{pretty(record.system)}, {record.recipe}"].append(record)
    return groups


def _tables_of_columns() -> dict[str, list[Column]]:
    """The columns of the tables by their titles."""
    skill = [Column("in the clip", lambda record: record.beyond_the_clip.skill)]
    for step in ("10", "30", "60", "100"):
        skill.append(Column(f"+{step}", lambda record, step=step: record.beyond_the_clip.skill_forward.get(step)))
        skill.append(Column(f"−{step}", lambda record, step=step: record.beyond_the_clip.skill_backward.get(step)))
    state = []
    for i, side in enumerate(("after", "before")):
        state.append(Column(f"VPT {side}", lambda record, i=i: record.beyond_the_clip.vpt[i], ".0f"))
        state.append(Column(f"horizon {side}", lambda record, i=i: record.beyond_the_clip.horizon[i], ".0f"))
    state += [
        Column("clock share", lambda record: record.beyond_the_clip.clock_share, ".2g"),
        Column("re-encoding error", lambda record: record.beyond_the_clip.reencoding_error, ".2g"),
        Column("nats", lambda record: record.beyond_the_clip.kl_nats, ".0f"),
        Column("true dimensions", lambda record: record.beyond_the_clip.true_dimensions, ".0f"),
    ]
    samples = [
        Column("right frames", _sample("fidelity")),
        Column("60 steps later", _sample("fidelity_after_60")),
        Column("distance of energies", _sample("energy_distance")),
        Column("distance of positions", _sample("position_distance")),
    ]
    physics = [
        Column("error of the period", lambda record: record.beyond_the_clip.period_error, ".2g"),
        Column("rank correlation of energies", lambda record: record.beyond_the_clip.energy_rank_correlation),
        Column("SyMetric", lambda record: record.beyond_the_clip.symetric, ".2g"),
        Column("exponent", _law("exponent")),
        Column("flatness", _law("flatness"), ".2g"),
        Column("R² of the law", _law("r_squared"), ".5f"),
        Column("mass ratio", _law("mass_ratio")),
        Column("constant", _law("constant")),
        Column("true constant", _law("true_constant")),
    ]
    cost = [
        Column("steps", lambda record: record.run.steps, ".0f"),
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
    return lambda record: getattr(record.beyond_the_clip.samples, name, None)


def _law(name: str) -> Number:
    return lambda record: getattr(record.beyond_the_clip.law, name, None)


def _minutes(part: str) -> Number:
    return lambda record: record.run.wall_time_s[part] / 60.0


def _table(heading: str, rows: Rows, columns: Sequence[Column]) -> Table:
    """A table without the columns that are empty for all rows."""
    cells = {column.name: [_cell(column, seeds) for seeds in rows.values()] for column in columns}
    cells = {name: column for name, column in cells.items() if set(column) != {_MISSING}}
    numbers = [", ".join(str(record.run.seed) for record in seeds) for seeds in rows.values()]
    return Table(heading, list(zip(rows, numbers, *cells.values(), strict=True)), columns=("seeds", *cells))


def _cell(column: Column, seeds: Sequence[Record]) -> str:
    """The median over seeds and the range, if there is one."""
    numbers = [number for record in seeds if (number := column.number(record)) is not None]
    if not numbers:
        return _MISSING
    smallest, middle, largest = (f"{x:{column.form}}" for x in (min(numbers), median(numbers), max(numbers)))
    return middle if smallest == largest else f"{middle} ({smallest} … {largest})"


def _current_commit() -> str:
    result = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=False)
    if result.returncode:
        raise UserError(f"--commit is missing, and this is no checkout: {result.stderr.strip()}")
    return result.stdout.strip()


def main(argv: Sequence[str]) -> None:
    records = read_records(argv[1:], _COMMIT.value or (_current_commit() if _OUTPUT.value else ""))
    if _OUTPUT.value:
        directory = pathlib.Path(_OUTPUT.value)
        directory.mkdir(parents=True, exist_ok=True)
        for name, record in records.items():
            write_versioned(directory / f"{name}.json", record)
    print("\n\n".join(map(to_markdown, tables(records.values()))))


if __name__ == "__main__":
    _OUTPUT = command_line.define_path("output", None, "Directory for the JSON file of each run.")
    _COMMIT = flags.DEFINE_string("commit", None, "Commit that the runs were made at; by default the current one.")
    command_line.run(main, takes_arguments=True)
