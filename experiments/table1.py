"""Makes Table 1 of the paper from finished runs, `python -m experiments.table1 runs/*`; `--run` trains them first.

`--estimate` trains nothing and tells how long `--run` would take on this machine.

The table has the mean squared error per pixel x 1e4, as mean ± standard deviation over trajectories, with the skill in
brackets, for the training and the test split; the reference rows; and the numbers that the paper reports. The paper's
errors depend on a canvas, discs and noise that it does not describe, so only the skill can be compared across data.
Runs of HGN++ and of the anchored HGN have rows of their own, but `--run` does not train them.
"""

import pathlib
import subprocess
import sys
from collections.abc import Callable, Sequence
from typing import Any

from absl import flags

from experiments.comparison import rows as comparison
from experiments.comparison.rows import PAPER_ROWS, SYSTEMS
from experiments.reporting.names import pretty
from experiments.reporting.tables import FORMATS, Table
from experiments.run import command_line
from experiments.run.command_line import UserError
from hgn_jax.training.progress import progress_bar


def table(runs: comparison.Runs) -> Table:
    """Returns the table."""
    rows = []
    for split in ("train", "test"):
        rows += [(label, split, *cells) for label, cells in comparison.cells(runs, split).items()]
    rows += [(row.label, "test, published", *row.published) for row in PAPER_ROWS.values()]
    return Table("", rows, columns=("split", *map(pretty, SYSTEMS)))


def commands(scale: str, root: pathlib.Path, overrides: Sequence[str] = ()) -> dict[pathlib.Path, list[str]]:
    """Returns the command that trains each run of the table, by the run's directory.

    Args:
      scale: Scale of the runs, `small` or `paper`.
      root: Directory of the runs.
      overrides: Flags for all of them.
    """
    commands_by_directory = {}
    for system in SYSTEMS:
        for name, row in PAPER_ROWS.items():
            workdir = root / f"{system}_{name}"
            changes = comparison.changes(row, scale)
            commands_by_directory[workdir] = [
                sys.executable, "-m", f"experiments.{row.program}", f"--config={comparison.preset(row, system, scale)}",
                *(f"--config.{field}={value}" for field, value in changes.items()), *overrides,
                f"--workdir={workdir}",
            ]  # fmt: skip
    return commands_by_directory


def train(runs: dict[pathlib.Path, list[str]]) -> None:
    """Trains the unfinished runs, one after the other; raises UserError if one fails."""
    with progress_bar(len(runs), "table 1", "run") as bar:
        for workdir, command in runs.items():
            if not (workdir / "metrics.json").exists():
                print(f"training {workdir}", flush=True)
                code = subprocess.run(command, check=False).returncode
                if code:
                    raise UserError(f"{workdir} ended with exit status {code}; the same command continues from there")
            bar.update()


def estimate(scale: str, seconds_per_step: Callable[[Any], float]) -> list[str]:
    """Estimates the time that the training of all runs takes; returns a line for each row and one for the total.

    Args:
      scale: Scale of the runs, `small` or `paper`.
      seconds_per_step: Returns the seconds per step for a configuration. It is called for one system only, as steps
        take equally long for all systems.
    """
    lines, total = [], 0.0
    for row in PAPER_ROWS.values():
        config = comparison.configuration(row, SYSTEMS[0], scale)
        steps = [comparison.configuration(row, system, scale).training.num_steps for system in SYSTEMS]
        seconds = seconds_per_step(config)
        total += seconds * sum(steps)
        lines.append(f"{row.label}: {seconds:.3g} s per step, {sum(steps)} steps: {_duration(seconds * sum(steps))}")
    return [*lines, f"{len(SYSTEMS) * len(PAPER_ROWS)} runs, one after the other: {_duration(total)} of training"]


def _duration(seconds: float) -> str:
    for unit, size in (("days", 86_400), ("hours", 3_600)):
        if seconds >= 2 * size:
            return f"{seconds / size:.1f} {unit}"
    return f"{seconds / 60:.1f} minutes"


def main(argv: Sequence[str]) -> None:
    paths = argv[1:]
    if _ESTIMATE.value:
        from experiments.comparison import step_timing

        for line in estimate(_SCALE.value, step_timing.seconds_per_step):
            print(line, flush=True)
        return
    if _RUN.value:
        runs = commands(_SCALE.value, pathlib.Path(_RUNS.value or f"runs/table1_{_SCALE.value}"), _OVERRIDE.value)
        train(runs)
        paths = list(map(str, runs))
    for reason, others in comparison.left_out(paths).items():
        print(f"left out: {', '.join(others)}: {reason}", file=sys.stderr)
    table1 = table(comparison.read_runs(paths))
    print(FORMATS[_FORMAT.value](table1))
    if _OUTPUT.value:
        directory = pathlib.Path(_OUTPUT.value)
        directory.mkdir(parents=True, exist_ok=True)
        for suffix, write in FORMATS.items():
            (directory / f"table1.{suffix}").write_text(write(table1) + "\n", encoding="utf-8")


def check() -> None:
    """Raises UserError if there is nothing to do."""
    paths = flags.FLAGS(sys.argv)[1:]
    if sum([bool(paths), _RUN.value, _ESTIMATE.value]) != 1:
        raise UserError("give either the directories of finished runs, or --run to train them all, or --estimate")


if __name__ == "__main__":
    _RUN = flags.DEFINE_bool("run", False, "Trains the runs of the table first, except finished ones.")
    _ESTIMATE = flags.DEFINE_bool("estimate", False, "Estimates the time of --run here, from a few steps of each.")
    _SCALE = flags.DEFINE_enum(
        "scale", "small", ["small", "paper"], "Size of data, networks and training, with --run or --estimate."
    )
    _RUNS = command_line.define_path("runs", None, "Directory of the runs, with --run; by default runs/table1_<scale>.")
    _OVERRIDE = flags.DEFINE_multi_string("override", [], "Flag for all runs, with --run: --override=--config.a=b.")
    _FORMAT = flags.DEFINE_enum("format", "md", list(FORMATS), "Format of the table that is printed.")
    _OUTPUT = command_line.define_path("output", None, "Directory for the table in all formats.")
    command_line.run(main, takes_arguments=True, check=check)
