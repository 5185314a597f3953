"""Draws figures: those of the paper from finished runs, `python -m experiments.figures --workdir=runs/three_body`.

For a single run of HGN these are Fig. 5 (data), 6 (error at each step), 7 (rollouts), 8 (samples), 10 (integrators)
and the learned phase portrait, in the run's `figures/`. For the runs of the comparison, `python -m experiments.figures
runs/table1_small/* --output=DIR` draws the same with all models. Each figure is a `.png` and a `.pdf`; `captions.md`
has the captions.

Without any of these, in a checkout, it redraws the pictures that the README and the pages of `docs/` show, from weights
and results in the repository; with `--output=DIR` it writes them there instead of in their places.
"""

import pathlib
import sys
from collections.abc import Mapping, Sequence

from absl import flags

from experiments.figures import runs as figure_runs
from experiments.figures.runs import Groups
from experiments.run import command_line
from experiments.run.command_line import UserError
from experiments.run.run_directory import define_moved_data, require_writable

_CHECKOUT = pathlib.Path(__file__).parents[2]


def read(
    paths: Sequence[str], workdir: str | None, output: str | None, moved: Mapping[str, str] | None = None
) -> tuple[Groups, list[str]]:
    """Reads the runs of a command; raises UserError if no figures can be drawn from them.

    Args:
      paths: Directories of several runs.
      workdir: Directory of a single run.
      output: Directory of the figures.
      moved: Where the data of the runs are now; see `RunDirectory`.

    Returns:
      The runs by system, and the paths of those that are left out.
    """
    if bool(paths) == bool(workdir):
        raise UserError("give either the directories of finished runs, or --workdir of a single run")
    if paths and not output:
        raise UserError("give --output, the directory for the figures of several runs")
    return figure_runs.read_several(paths, moved) if paths else (figure_runs.read_one(workdir, moved), [])


def draw(groups: Groups, directory: pathlib.Path) -> None:
    """Writes all figures and their captions into a directory."""
    from experiments.figures import figure as paper_figure  # imports JAX, which takes seconds
    from experiments.figures import paper

    directory.mkdir(parents=True, exist_ok=True)
    figures = []
    for figure in paper.draw_all(groups):
        figures.append(figure)
        paper_figure.write(figures, directory)
        print(f"{figure.title}: {directory / figure.name}.png and .pdf", flush=True)
    print(f"captions: {directory / 'captions.md'}")


def redraw_documentation(output: pathlib.Path) -> None:
    """Redraws the pictures of the documentation at their places below a directory."""
    from experiments.figures import documentation

    for place, reason in documentation.redraw(output):
        print(f"left out, {place}: {reason}" if reason else f"{output / place}", flush=True)


def check() -> None:
    paths = flags.FLAGS(sys.argv)[1:]
    if not _is_for_documentation(paths):
        read(paths, _WORKDIR.value, _OUTPUT.value, _MOVED())
    elif not (_CHECKOUT / "docs" / "README.md").exists():
        raise UserError(
            "give either the directories of finished runs, or --workdir of a single run; without both the pictures of "
            "the documentation are redrawn, which needs a checkout of the repository"
        )
    require_writable(_output(), "output", "give another --output")


def _is_for_documentation(paths: Sequence[str]) -> bool:
    return not paths and not _WORKDIR.value


def _output() -> pathlib.Path:
    default = f"{_WORKDIR.value}/figures" if _WORKDIR.value else _CHECKOUT
    return pathlib.Path(_OUTPUT.value or default)


def main(argv: Sequence[str]) -> None:
    if _is_for_documentation(argv[1:]):
        redraw_documentation(_output())
        return
    groups, left_out = read(argv[1:], _WORKDIR.value, _OUTPUT.value, _MOVED())
    for path in left_out:
        print(f"left out, because its model is not in the comparison: {path}")
    draw(groups, _output())


if __name__ == "__main__":
    _MOVED = define_moved_data()
    _WORKDIR = command_line.define_path("workdir", None, "Directory of the run, to draw the figures of a single run.")
    _OUTPUT = command_line.define_path("output", None, "Directory of the figures; by default figures/ in the run's.")
    command_line.run(main, takes_arguments=True, check=check)
