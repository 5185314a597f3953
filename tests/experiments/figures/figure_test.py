"""Tests of `experiments.figures.figure`."""

import pathlib

from experiments.figures.figure import PaperFigure, write
from experiments.reporting import style


def test_captions_show_all_figures(tmp_path):
    runs = (pathlib.Path("runs/one"), pathlib.Path("runs/two"))
    figures = [
        PaperFigure("a", "Figure A", "This is a.", runs, style.new_figure((1, 1))),
        PaperFigure("b", "Figure B", "This is b.", (), style.new_figure((1, 1))),
    ]
    write(figures[:1], tmp_path)
    write(figures, tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"captions.md", "a.png", "a.pdf", "b.png", "b.pdf"}
    text = (tmp_path / "captions.md").read_text()
    assert "## Figure A\n\n![Figure A](a.png)\n\nThis is a.\n\nDrawn from `runs/one`, `runs/two`." in text
    assert "[`b.pdf`](b.pdf)" in text
    assert text.count("Needs no run.") == 1
