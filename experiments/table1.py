"""Table 1 of the paper from finished runs, `python -m experiments.table1 runs/*`; `--run` trains them first.

`--estimate` trains nothing and says how long `--run` would take on this machine.

Mean squared error per pixel x 1e4, mean and standard deviation over trajectories, and in brackets the skill, of the
training and the test split; the reference rows; and beside them what the paper reports. What it reports depends on a
canvas, discs and noise that it does not give, so only what stands in brackets can be compared with other data.
"""

import csv
import io
import pathlib
import subprocess
import sys
from collections.abc import Callable, Sequence
from typing import Any

from absl import flags

from experiments.comparison import rows as comparison
from experiments.comparison.rows import ROWS, SYSTEMS
from experiments.run import command_line
from experiments.run.command_line import UserError
from hgn_jax.training.progress import progress_bar


def table(runs: dict[tuple[str, str], comparison.Run]) -> list[list[str]]:
    """The lines of the table, the first of them its head."""
    lines = [["", "split", *(system.replace("_", "-") for system in SYSTEMS)]]
    for split in ("train", "test"):
        lines += [[label, split, *row] for label, row in comparison.cells(runs, split).items()]
    return lines + [[row.label, "test, published", *row.published] for row in ROWS.values()]


def to_markdown(lines: Sequence[Sequence[str]]) -> str:
    """A Markdown table."""
    head, *rest = (f"| {' | '.join(line)} |" for line in lines)
    return "\n".join([head, "|" + "---|" * len(lines[0]), *rest])


def to_csv(lines: Sequence[Sequence[str]]) -> str:
    """Comma-separated values."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(lines)
    return text.getvalue().rstrip("\n")


def to_latex(lines: Sequence[Sequence[str]]) -> str:
    """A LaTeX `tabular` with the rules of `booktabs`."""
    head, *rest = (" & ".join(map(_escape, line)) + r" \\" for line in lines)
    body = "\n".join(["\\toprule", head, "\\midrule", *rest, "\\bottomrule"])
    return f"\\begin{{tabular}}{{ll{'r' * len(SYSTEMS)}}}\n{body}\n\\end{{tabular}}"


def _escape(text: str) -> str:
    return text.replace("±", r"$\pm$").replace("f_ψ", r"$f_\psi$")


FORMATS: dict[str, Callable[[Sequence[Sequence[str]]], str]] = {"md": to_markdown, "csv": to_csv, "tex": to_latex}


def commands(scale: str, root: pathlib.Path, overrides: Sequence[str] = ()) -> dict[pathlib.Path, list[str]]:
    """The command that trains each run of the table, by the run's directory.

    Args:
      scale: `small` or `paper`.
      root: where the runs are.
      overrides: flags for all of them.
    """
    found = {}
    for system in SYSTEMS:
        for name, row in ROWS.items():
            workdir = root / f"{system}_{name}"
            changes = comparison.changes(row, scale)
            found[workdir] = [
                sys.executable, "-m", f"experiments.{row.program}", f"--config={comparison.preset(row, system, scale)}",
                *(f"--config.{field}={value}" for field, value in changes.items()), *overrides,
                f"--workdir={workdir}",
            ]  # fmt: skip
    return found


def train(runs: dict[pathlib.Path, list[str]]) -> None:
    """Trains the runs that are not finished, one after the other; raises UserError if one cannot be."""
    with progress_bar(len(runs), "table 1", "run") as bar:
        for workdir, command in runs.items():
            if not (workdir / "metrics.json").exists():
                print(f"training {workdir}", flush=True)
                code = subprocess.run(command, check=False).returncode
                if code:
                    raise UserError(f"{workdir} ended with exit status {code}; the same command goes on from there")
            bar.update()


def estimate(scale: str, of: Callable[[Any], float]) -> list[str]:
    """How long the training of all runs takes, a line for each row and one in all.

    Args:
      scale: `small` or `paper`.
      of: the seconds of a step of a configuration. It is asked for one system: steps of the others are as long.
    """
    lines, total = [], 0.0
    for row in ROWS.values():
        config = comparison.configuration(row, SYSTEMS[0], scale)
        steps = [comparison.configuration(row, system, scale).training.num_steps for system in SYSTEMS]
        seconds = of(config)
        total += seconds * sum(steps)
        lines.append(f"{row.label}: {seconds:.3g} s a step, {sum(steps)} steps: {_duration(seconds * sum(steps))}")
    return [*lines, f"{len(SYSTEMS) * len(ROWS)} runs, one after the other: {_duration(total)} of training"]


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
    lines = table(comparison.read_runs(paths))
    print(FORMATS[_FORMAT.value](lines))
    if _OUTPUT.value:
        directory = pathlib.Path(_OUTPUT.value)
        directory.mkdir(parents=True, exist_ok=True)
        for suffix, write in FORMATS.items():
            (directory / f"table1.{suffix}").write_text(write(lines) + "\n", encoding="utf-8")


def check() -> None:
    """Raises UserError if there is nothing to do."""
    paths = flags.FLAGS(sys.argv)[1:]
    if sum([bool(paths), _RUN.value, _ESTIMATE.value]) != 1:
        raise UserError("give either the directories of finished runs, or --run to train them all, or --estimate")


if __name__ == "__main__":
    _RUN = flags.DEFINE_bool("run", False, "Trains all runs of the table first, but for those that are finished.")
    _ESTIMATE = flags.DEFINE_bool("estimate", False, "Says how long --run would take here, from a few steps of each.")
    _SCALE = flags.DEFINE_enum(
        "scale", "small", ["small", "paper"], "Data, networks and steps of the runs, with --run or --estimate."
    )
    _RUNS = flags.DEFINE_string("runs", None, "Directory of the runs, with --run; by default runs/table1_<scale>.")
    _OVERRIDE = flags.DEFINE_multi_string("override", [], "A flag for all runs, with --run: --override=--config.a=b.")
    _FORMAT = flags.DEFINE_enum("format", "md", list(FORMATS), "What is printed.")
    _OUTPUT = flags.DEFINE_string("output", None, "Directory that the table is written to in all formats.")
    command_line.run(main, takes_arguments=True, check=check)
