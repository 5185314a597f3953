"""Tests of `experiments.figures.documentation`: every picture that is shown can be redrawn from what is committed."""

import pathlib
import re
import sys

import imageio.v3 as imageio
import numpy as np
import pytest

from experiments.figures import __main__ as program
from experiments.figures import documentation, screenshot
from tests.experiments.reporting import browser
from tests.root import ROOT

_PAGES = (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))
_LARGEST_CHANGE = 8.0  # mean difference of colours, of 255; fonts and versions of matplotlib may differ a little


def _shown() -> set[str]:
    """The places of the pictures that the README and the pages of `docs/` show."""
    places = ((page, place) for page in _PAGES for place in re.findall(r"!\[[^\]]*\]\(([^)\s]+)\)", page.read_text()))
    return {(page.parent / place).resolve().relative_to(ROOT).as_posix() for page, place in places}


def test_every_picture_that_is_shown_has_what_redraws_it():
    assert set(documentation.PICTURES) == _shown()


@pytest.mark.slow
@pytest.mark.parametrize("place", documentation.PICTURES)
def test_a_picture_is_redrawn_from_what_is_committed(place, tmp_path, monkeypatch):
    if "explorer" in place and not browser.executable():
        pytest.skip("there is no Chromium or Chrome on the PATH")
    monkeypatch.setattr(documentation, "PICTURES", {place: documentation.PICTURES[place]})
    assert list(documentation.redraw(tmp_path)) == [(place, None)]
    drawn, committed = (imageio.imread(root / place)[..., :3].astype(float) for root in (tmp_path, ROOT))
    assert drawn.std() > 1.0
    if drawn.shape == committed.shape:  # labels of other widths change the size of a picture by a few pixels
        assert np.abs(drawn - committed).mean() < _LARGEST_CHANGE
    np.testing.assert_allclose(drawn.shape, committed.shape, rtol=0.03)


def test_the_command_names_what_it_drew_and_what_it_could_not(tmp_path, monkeypatch, capsys):
    drawn = {"docs/a.png": lambda: b"a picture", "docs/b.png": lambda: screenshot.take(tmp_path, (10, 10), "")}
    monkeypatch.setattr(documentation, "PICTURES", drawn)
    monkeypatch.setitem(sys.modules, "playwright", None)
    program.redraw_documentation(tmp_path)
    first, second = capsys.readouterr().out.splitlines()
    assert first == str(tmp_path / "docs" / "a.png") and pathlib.Path(first).read_bytes() == b"a picture"
    assert second.startswith("left out, docs/b.png: needs Playwright")
