"""Tests of `experiments.reporting.page`: its text, and what headless Chromium makes of the pages of all programs."""

import base64
import contextlib
import html.parser
import io
import pathlib
import tempfile
import unittest

import imageio.v3 as imageio
import numpy as np
from absl.testing import absltest, parameterized

from experiments.reporting.page import Picture, Table, print_tables, write_page
from experiments.run.provenance import Provenance
from tests.experiments.reporting import chromium, reported_runs

_PROVENANCE = Provenance("python -m program --a='<b>'", (), {"seed": "3"}, {"training.batch_size": "16"})
_TABLES = (
    Table("Numbers", {"|det J| < 1": ("1e-9 & less",)}, "Lower is <better>."),
    Table("Splits", {"error": ("1", "2")}, columns=("train", "test")),
)


class _Reader(html.parser.HTMLParser):
    """Collects texts, headings and pictures, and fails on tags that are not closed in order."""

    def __init__(self):
        super().__init__()
        self.open, self.texts, self.headings, self.images, self.language = [], [], [], [], None

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


def _write(directory):
    """A page with a picture, a movie, and one picture that was not drawn."""
    shades = np.arange(0, 256, 51, dtype=np.uint8)[:, None, None, None].repeat(8, 1).repeat(8, 2).repeat(3, 3)
    imageio.imwrite(directory / "a.png", shades[1])
    imageio.imwrite(directory / "b.gif", shades, duration=100, loop=0)
    pictures = [Picture("a.png", "Still", "first"), Picture("b.gif", "Moving", 'the "second"')]
    write_page(
        directory, "A <run>", ["What it is."], _TABLES, [*pictures, Picture("c.png", "None", "none")], _PROVENANCE
    )
    return directory / "index.html"


class PageTest(absltest.TestCase):
    def setUp(self):
        super().setUp()
        self.directory = pathlib.Path(self.create_tempdir().full_path)

    def test_page(self):
        page = _Reader()
        page.feed(_write(self.directory).read_text(encoding="utf-8"))
        self.assertEmpty(page.open)
        self.assertEqual(page.language, "en")
        for text in ("A <run>", "What it is.", "Numbers", "|det J| < 1", "1e-9 & less", "Lower is <better>.", "train",
                     "python -m program --a='<b>'", "seed", "training.batch_size = 16", "b.gif"):  # fmt: skip
            self.assertIn(text, page.texts)
        self.assertIn('the "second" ', page.texts)
        self.assertNotIn("c.png", page.texts)
        self.assertEqual(page.headings[0], 1)
        self.assertLessEqual(max(np.diff(page.headings)), 1)

    def test_pictures_are_in_the_page(self):
        page = _Reader()
        page.feed(_write(self.directory).read_text(encoding="utf-8"))
        self.assertEqual([image["alt"] for image in page.images], ["Still", "Moving"])
        for image, name, kind in zip(page.images, ("a.png", "b.gif"), ("png", "gif"), strict=True):
            head, content = image["src"].split(",")
            self.assertEqual(head, f"data:image/{kind};base64")
            self.assertEqual(base64.b64decode(content), (self.directory / name).read_bytes())

    def test_a_page_that_cannot_be_finished_leaves_the_one_before(self):
        before = _write(self.directory).read_bytes()
        (self.directory / "a.png").unlink()
        (self.directory / "a.png").mkdir()
        with self.assertRaises(OSError):
            write_page(self.directory, "Another", [], _TABLES, [Picture("a.png", "a", "a")], _PROVENANCE)
        self.assertEqual((self.directory / "index.html").read_bytes(), before)

    def test_a_preset_of_another_version_has_no_command(self):
        write_page(self.directory, "Old", [], _TABLES, [], _PROVENANCE._replace(command="", beyond_flags=("a.b",)))
        text = (self.directory / "index.html").read_text(encoding="utf-8")
        self.assertNotIn("trains and measures", text)
        self.assertIn("No flag can set these fields as they were: a.b.", text)

    def test_printed(self):
        with contextlib.redirect_stdout(io.StringIO()) as text:
            print_tables(_TABLES)
        self.assertRegex(
            text.getvalue(), r"\nNumbers\n  \|det J\| < 1 +1e-9 & less\n\nSplits +train +test\n  error +1 +2\n"
        )


@unittest.skipUnless(chromium.find(), "there is no Chromium or Chrome on the PATH")
class BrowserTest(parameterized.TestCase):
    """The pages as Chromium sees them, at the width of a screen and of a telephone."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.profile = cls.enterClassContext(tempfile.TemporaryDirectory(ignore_cleanup_errors=True))
        cls.page = cls.enterClassContext(chromium.open_page(pathlib.Path(cls.profile)))

    def setUp(self):
        super().setUp()
        self.directory = pathlib.Path(self.create_tempdir().full_path)

    @parameterized.parameters(
        (reported_runs.report_hgn, ("Test clips", "Test clips in motion", "Training clips", "Error at each step")),
        (reported_runs.report_hnn, ("Test clips", "Test clips in motion", "Training clips", "Error at each step")),
        (reported_runs.report_states, ("Paths",)),
        (reported_runs.report_nhf, ("The learned flow", "Density", "The flow in motion", "Samples", "The bound")),
    )
    def test_the_page_of_a_run(self, report, pictures):
        page = report(self.directory).report / "index.html"
        page = page.rename(self.directory / "alone.html")  # where no picture is beside it
        self.assertEqual(chromium.problems(self.page, page), [])
        images = self.page.images()
        self.assertEqual([image.alt for image in images], [*pictures, "Training"])
        moving = {image.alt for image in images if image.frames > 1}
        self.assertEqual(moving, {alt for alt in pictures if "in motion" in alt})

    def _damaged(self, old, new):
        path = _write(self.directory)
        text = path.read_text(encoding="utf-8")
        self.assertIn(old, text)
        path.write_text(text.replace(old, new, 1), encoding="utf-8")
        return chromium.problems(self.page, path)

    def test_a_good_page(self):
        self.assertEqual(self._damaged("What it is.", "What it was."), [])

    @parameterized.parameters(
        ("data:image/png;base64,iVBOR", "data:image/png;base64,iVBOx", r"cannot show Still"),
        ("</main>", '<div style="width: 500px; height: 9px"></div></main>', r"is \d+ pixels wide on a screen of 360"),
        ("</main>", '<img src="a.png" alt="other"></main>', r"refers to a\.png"),
        ("</main>", '<a href="https://example.org">there</a></main>', r"refers to https://example\.org"),
        ("</main>", '<script>console.error("oh")</script></main>', r"error: .*Content Security Policy"),
    )
    def test_what_is_wrong_with_a_page_is_found(self, old, new, message):
        self.assertRegex("\n".join(self._damaged(old, new)), message)

    @parameterized.parameters(
        ('<script>console.error("oh")</script>', r"error: oh"),
        ("<script>nothing.at.all()</script>", r"error: ReferenceError: nothing"),
        ('<img src="none.png" alt="none">', r"asks for file://.*none\.png"),
    )
    def test_what_is_wrong_with_a_page_without_a_policy_is_found(self, content, message):
        path = self.directory / "index.html"
        path.write_text(f"<!doctype html><title>bad</title>{content}", encoding="utf-8")
        self.assertRegex("\n".join(chromium.problems(self.page, path)), message)

    def test_a_movie_that_stops_is_found(self):
        frames = np.arange(0, 256, 51, dtype=np.uint8)[:, None, None].repeat(8, 1).repeat(8, 2)
        imageio.imwrite(self.directory / "once.gif", frames, duration=20, loop=1)
        data = base64.b64encode((self.directory / "once.gif").read_bytes()).decode()
        path = self.directory / "index.html"
        path.write_text(f'<!doctype html><img src="data:image/gif;base64,{data}" alt="once">', encoding="utf-8")
        self.assertIn("does not play once", chromium.problems(self.page, path))


if __name__ == "__main__":
    absltest.main()
