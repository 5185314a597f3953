"""Tests of `experiments.page`."""

import html.parser
import pathlib

from absl.testing import absltest

from experiments.page import Picture, write_page


class _Page(html.parser.HTMLParser):
    """Collects texts and pictures, and fails on tags that are not closed in order."""

    def __init__(self):
        super().__init__()
        self.open, self.texts, self.sources = [], [], []

    def handle_starttag(self, tag, attrs):
        if tag == "img":
            self.sources.append(dict(attrs)["src"])
        elif tag != "meta":
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag, tag

    def handle_data(self, data):
        self.texts.append(data)


class PageTest(absltest.TestCase):
    def test_page(self):
        directory = pathlib.Path(self.create_tempdir().full_path)
        tables = {"Numbers": {"|det J| < 1": "1e-9 & less"}}
        write_page(directory, "A <run>", tables, [Picture("a.png", "first"), Picture("b.gif", 'the "second"')])
        page = _Page()
        page.feed((directory / "index.html").read_text(encoding="utf-8"))
        self.assertEmpty(page.open)
        self.assertEqual(page.sources, ["a.png", "b.gif"])
        for text in ("A <run>", "Numbers", "|det J| < 1", "1e-9 & less", "first", 'the "second"'):
            self.assertIn(text, page.texts)


if __name__ == "__main__":
    absltest.main()
