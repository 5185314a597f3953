"""A figure as files: a picture to look at, one for print, and its caption in `captions.md`."""

import pathlib
from collections.abc import Sequence
from typing import Any, NamedTuple

import matplotlib

matplotlib.use("agg")
from matplotlib import pyplot as plt  # noqa: E402  (the backend must be chosen first)

SUFFIXES = (".png", ".pdf")
_DPI = 150
_PRINT = {"pdf.fonttype": 42}  # text stays text, which publishers ask for
_UNDATED = {".png": {}, ".pdf": {"CreationDate": None}}  # so that the same runs give the same files


class Drawn(NamedTuple):
    """A figure that was drawn.

    Attributes:
      name: of its files, before the suffix.
      title: what it is.
      caption: what is shown.
      runs: that it is drawn from, none if it needs none.
    """

    name: str
    title: str
    caption: str
    runs: Sequence[pathlib.Path]


def pretty(name: str) -> str:
    """A name in the words of the paper: `mass_spring` is mass-spring."""
    return name.replace("_", "-")


def save(figure: Any, directory: pathlib.Path, name: str) -> None:
    """Writes a figure as `<name>.png` and `<name>.pdf` and closes it."""
    with matplotlib.rc_context(_PRINT):
        for suffix in SUFFIXES:
            figure.savefig(directory / f"{name}{suffix}", dpi=_DPI, bbox_inches="tight", metadata=_UNDATED[suffix])
    plt.close(figure)


def write_captions(directory: pathlib.Path, figures: Sequence[Drawn]) -> None:
    """Writes `captions.md`, which shows the figures with what is said of each."""
    parts = ["# Figures"]
    for figure in figures:
        runs = ", ".join(f"`{run}`" for run in figure.runs)
        source = f"From {runs}." if runs else "No run is needed for it."
        files = f"Files: [`{figure.name}.png`]({figure.name}.png), [`{figure.name}.pdf`]({figure.name}.pdf)."
        parts += [f"## {figure.title}", f"![{figure.title}]({figure.name}.png)", figure.caption, f"{source} {files}"]
    (directory / "captions.md").write_text("\n\n".join(parts) + "\n", encoding="utf-8")
