"""How pictures look: colours, resolutions, and the way from a figure to its files.

Figures are made without pyplot, so no window system is asked for and no global state has to be cleaned up.
"""

import pathlib
from collections.abc import Mapping
from typing import Any

import matplotlib
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from hgn_jax.whole_files import whole_file

# The colours of Okabe and Ito, which colour-blind readers can tell apart.
BLUE, SKY, GREEN, YELLOW = "#0072b2", "#56b4e9", "#009e73", "#f0e442"
ORANGE, VERMILION, PURPLE, BLACK = "#e69f00", "#d55e00", "#cc79a7", "#000000"
DARK_GREY, GREY, LIGHT_GREY = "#666666", "#999999", "#cccccc"

PRINT_SUFFIXES = (".png", ".pdf")
_PAGE_DPI, _PRINT_DPI = 110, 150
_EMBEDDED_FONTS = {"pdf.fonttype": 42}  # text stays text, which publishers ask for
_UNDATED = {".png": {}, ".pdf": {"CreationDate": None}}  # the same data give the same files


def subplots(rows: int = 1, columns: int = 1, **kwargs: Any) -> tuple[Figure, Any]:
    """Returns a figure and its axes, as `matplotlib.pyplot.subplots` does.

    Args:
      rows: Number of rows of axes.
      columns: Number of columns of axes.
      **kwargs: `figsize`, in inches, and the arguments of `Figure.subplots`.
    """
    figure = new_figure(kwargs.pop("figsize", None))
    return figure, figure.subplots(rows, columns, **kwargs)


def new_figure(figsize: tuple[float, float] | None = None) -> Figure:
    """Returns an empty figure of a size in inches, whose axes are laid out without overlaps."""
    figure = Figure(figsize, layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def save(figure: Figure, path: pathlib.Path) -> None:
    """Writes a figure for a page on a screen, as the file `path`."""
    _write(figure, path, _PAGE_DPI)


def save_all(directory: pathlib.Path, figures: Mapping[str, Figure | None]) -> None:
    """Writes figures for a page by their file names, and leaves out those that are None."""
    for name, figure in figures.items():
        if figure is not None:
            save(figure, directory / name)


def save_for_print(figure: Figure, directory: pathlib.Path, name: str) -> None:
    """Writes a figure for a paper, as `<name>.png` and `<name>.pdf`; the same figure always gives the same bytes."""
    for suffix in PRINT_SUFFIXES:
        _write(figure, directory / f"{name}{suffix}", _PRINT_DPI)


def _write(figure: Figure, path: pathlib.Path, dpi: int) -> None:
    with matplotlib.rc_context(_EMBEDDED_FONTS), whole_file(path) as part:
        figure.savefig(part, dpi=dpi, bbox_inches="tight", metadata=_UNDATED[path.suffix])


def positive(values: Any) -> np.ndarray:
    """Replaces zeros, which a logarithmic axis cannot show, by nan."""
    values = np.array(values)
    return np.where(values > 0, values, np.nan)
