"""Tests of `experiments.reporting.page`: its text, and the pages of all tasks in a browser."""

import base64
import html.parser
import pathlib
import re
import shutil

import imageio.v3 as imageio
import numpy as np
import PIL.Image
import pytest

from experiments.reporting.page import Picture, write_page
from experiments.reporting.tables import Table
from experiments.run.provenance import Provenance
from tests.experiments import tiny_runs as tiny
from tests.experiments.reporting import browser

_PROVENANCE = Provenance("python -m program --a='<b>'", {"seed": "3"}, {"training.batch_size": "16"})
_TABLES = (
    Table("Numbers", [("|det J| < 1", "1e-9 & less")], "Lower is <better>."),
    Table("Splits", [("error", "1", "2")], columns=("train", "test")),
)
_PICTURES = (
    Picture("a.png", "Still", "first"), Picture("b.gif", "Moving", 'the "second"'), Picture("c.png", "None", "none"),
)  # fmt: skip


class _Reader(html.parser.HTMLParser):
    """Collects texts, headings and pictures, and fails on tags that are not closed in order."""

    def __init__(self, path):
        super().__init__()
        self.open, self.texts, self.headings, self.images, self.language = [], [], [], [], None
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attrs):
        if tag == "img":
            self.images.append(dict(attrs))
        elif tag != "meta":
            self.open.append(tag)
        if tag == "html":
            self.language = dict(attrs)["lang"]
        if tag in ("h1", "h2", "h3"):
            self.headings.append(int(tag[1]))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag, tag

    def handle_data(self, data):
        self.texts.append(data)


@pytest.fixture
def path(tmp_path):
    """A page with a picture and a movie; a third picture was not drawn."""
    shades = np.arange(0, 256, 51, dtype=np.uint8)[:, None, None, None].repeat(8, 1).repeat(8, 2).repeat(3, 3)
    imageio.imwrite(tmp_path / "a.png", shades[1])
    imageio.imwrite(tmp_path / "b.gif", shades, duration=100, loop=0)
    write_page(tmp_path, "A <run>", ["An introduction."], _TABLES, _PICTURES, _PROVENANCE)
    return tmp_path / "index.html"


def test_content(path):
    page = _Reader(path)
    assert page.open == []
    assert page.language == "en"
    for text in (
        "A <run>", "An introduction.", "Numbers", "|det J| < 1", "1e-9 & less", "Lower is <better>.", "train",
        "python -m program --a='<b>'", "seed", "training.batch_size = 16", "b.gif", 'the "second" ',
    ):  # fmt: skip
        assert text in page.texts
    assert "c.png" not in page.texts
    assert page.headings[0] == 1
    assert max(np.diff(page.headings)) <= 1


def test_pictures_are_embedded(path):
    images = _Reader(path).images
    assert [image["alt"] for image in images] == ["Still", "Moving"]
    for image, name, kind in zip(images, ("a.png", "b.gif"), ("png", "gif"), strict=True):
        head, content = image["src"].split(",")
        assert head == f"data:image/{kind};base64"
        assert base64.b64decode(content) == (path.parent / name).read_bytes()


def test_an_error_leaves_the_previous_page(path):
    before = path.read_bytes()
    (path.parent / "a.png").unlink()
    (path.parent / "a.png").mkdir()
    with pytest.raises(OSError):
        write_page(path.parent, "Another", [], _TABLES, _PICTURES, _PROVENANCE)
    assert path.read_bytes() == before


def test_a_preset_of_another_version_has_no_command(tmp_path):
    write_page(tmp_path, "Old", [], _TABLES, [], _PROVENANCE._replace(command=""))
    text = (tmp_path / "index.html").read_text(encoding="utf-8")
    assert "This command repeats" not in text


@pytest.fixture(scope="module")
def chromium():
    with browser.launch() as running:
        yield running


@pytest.mark.parametrize("name", [name for name in tiny.NAMES if name not in tiny.SLOW])
def test_pages_of_tasks(chromium, tiny_runs, tmp_path, name):
    report = tiny_runs(name).directory.report
    page = shutil.copy(report / "index.html", tmp_path / "alone.html")  # away from the pictures
    problems, pictures = chromium.problems(pathlib.Path(page))
    assert problems == []
    assert len(pictures) == len([path for path in report.iterdir() if path.suffix in (".png", ".gif")])
    for path in report.glob("*.gif"):
        movie = PIL.Image.open(path)
        assert movie.n_frames > 1 and movie.info["loop"] == 0  # it repeats without end


def test_a_good_page_has_no_problems(chromium, path):
    assert chromium.problems(path) == ([], ["Still", "Moving"])


@pytest.mark.parametrize(
    "old, new, message",
    [
        ("data:image/png;base64,iVBOR", "data:image/png;base64,iVBOx", r"cannot show Still"),
        ("</main>", '<div style="width: 500px; height: 9px"></div></main>', r"is \d+ pixels wide on a screen of 360"),
        ("</main>", '<img src="a.png" alt="other"></main>', r"refers to a\.png"),
        ("</main>", '<a href="https://example.org">there</a></main>', r"refers to https://example\.org"),
        ("</main>", '<script>console.error("oh")</script></main>', r"error: .*Content Security Policy"),
    ],
)
def test_problems_of_a_page_are_noticed(chromium, path, old, new, message):
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    assert re.search(message, "\n".join(chromium.problems(path)[0]))


@pytest.mark.parametrize(
    "content, message",
    [
        ('<script>console.error("oh")</script>', r"error: oh"),
        ("<script>nothing.at.all()</script>", r"error: nothing is not defined"),
        ('<img src="none.png" alt="none">', r"requests file://.*none\.png"),
    ],
)
def test_problems_of_a_page_without_a_policy_are_noticed(chromium, tmp_path, content, message):
    path = tmp_path / "index.html"
    path.write_text(f"<!doctype html><title>bad</title>{content}", encoding="utf-8")
    assert re.search(message, "\n".join(chromium.problems(path)[0]))
