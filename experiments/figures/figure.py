"""A figure of the paper and its files: PNG and PDF, and its caption in `captions.md`."""

import pathlib
from collections.abc import Sequence
from typing import NamedTuple

from matplotlib.figure import Figure

from experiments.reporting.style import save_for_print
from experiments.run.trainer import Run

_LISTED = 4  # runs that a caption names one by one


class PaperFigure(NamedTuple):
    """A figure of the paper.

    Attributes:
      name: Name of its files, without suffix.
      title: Title.
      caption: Caption.
      runs: Directories of the runs that it is drawn from; none for a figure that needs no run.
      figure: The drawing.
    """

    name: str
    title: str
    caption: str
    runs: Sequence[pathlib.Path]
    figure: Figure


class System(NamedTuple):
    """A system and the trained models whose predictions are shown.

    Attributes:
      name: Name of the data set.
      label: Name of the HGN in the figures.
      hgn: The run of the HGN.
      baselines: The runs of HNNs, by their names in the figures.
    """

    name: str
    label: str
    hgn: Run
    baselines: dict[str, Run]


def write(figures: Sequence[PaperFigure], directory: pathlib.Path) -> None:
    """Writes the last of the figures, and `captions.md`, which shows all of them with their captions."""
    save_for_print(figures[-1].figure, directory, figures[-1].name)
    parts = ["# Figures", *(_section(figure) for figure in figures)]
    (directory / "captions.md").write_text("\n\n".join(parts) + "\n", encoding="utf-8")


def _section(figure: PaperFigure) -> str:
    name = figure.name
    source = f"Drawn from {_sources(figure.runs)}." if figure.runs else "Needs no run."
    files = f"Files: [`{name}.png`]({name}.png), [`{name}.pdf`]({name}.pdf)."
    return f"## {figure.title}\n\n![{figure.title}]({name}.png)\n\n{figure.caption}\n\n{source} {files}"


def _sources(runs: Sequence[pathlib.Path]) -> str:
    """Returns the names of runs; of many in one directory, this directory and their number."""
    directories = {run.parent for run in runs}
    if len(runs) > _LISTED and len(directories) == 1:
        return f"the {len(runs)} runs `{directories.pop()}/*`"
    return ", ".join(f"`{run}`" for run in runs)
