"""The paper's figures from finished runs: `python -m experiments.figures --workdir=runs/three_body`.

Of one run of HGN: Fig. 5 (data), 6 (error at each step), 7 (rollouts), 8 (samples), 10 (integrators) and the learned
phase portrait, into its `figures/`. Of the runs of the comparison, `python -m experiments.figures runs/table1_small/*
--output=DIR`: the same with all models. Each as `.png` and `.pdf`; `captions.md` says what is shown.
"""

import pathlib
import sys
from collections.abc import Sequence

from absl import flags

from experiments.figures import runs as figure_runs
from experiments.figures.runs import Groups
from experiments.run import command_line
from experiments.run.command_line import UserError


def check() -> None:
    """Raises UserError for runs that no figures can be drawn from."""
    paths = flags.FLAGS(sys.argv)[1:]
    if bool(paths) == bool(_WORKDIR.value):
        raise UserError("give the directories of finished runs, or --workdir of one, and not both")
    if paths and not _OUTPUT.value:
        raise UserError("give --output, the directory for the figures of several runs")
    _read(paths)


def main(argv: Sequence[str]) -> None:
    directory = pathlib.Path(_OUTPUT.value or f"{_WORKDIR.value}/figures")
    directory.mkdir(parents=True, exist_ok=True)
    groups, left_out = _read(argv[1:])
    for path in left_out:
        print(f"left out, as it is no model of the comparison: {path}")
    from experiments.figures import files as figure_files
    from experiments.figures import paper as paper_figures

    drawn = []
    for figure in paper_figures.draw_all(groups, directory):
        print(f"{figure.title}: {directory / figure.name}.png and .pdf", flush=True)
        drawn.append(figure)
        figure_files.write_captions(directory, drawn)  # each time, so that it tells of what is there
    print(f"captions: {directory / 'captions.md'}")


def _read(paths: Sequence[str]) -> tuple[Groups, list[str]]:
    return figure_runs.read_several(paths) if paths else (figure_runs.read_one(_WORKDIR.value), [])


if __name__ == "__main__":
    _WORKDIR = flags.DEFINE_string("workdir", None, "Directory of the run, where the figures are of one.")
    _OUTPUT = flags.DEFINE_string("output", None, "Directory of the figures; by default figures/ in that of the run.")
    command_line.run(main, takes_arguments=True, check=check)
