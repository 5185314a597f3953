"""Tests of `experiments.figures.files`."""

import pathlib

import imageio.v3 as imageio
from absl.testing import absltest

from experiments.figures import files as figure_files
from experiments.figures.files import Drawn


class FilesTest(absltest.TestCase):
    def setUp(self):
        super().setUp()
        self.directory = pathlib.Path(self.create_tempdir().full_path)

    def _save(self):
        figure, axes = figure_files.plt.subplots()
        axes.plot([1, 2, 3])
        figure_files.save(figure, self.directory, "a")
        return {path.name: path.read_bytes() for path in self.directory.iterdir()}

    def test_the_same_figure_is_the_same_files(self):
        files = self._save()
        self.assertCountEqual(files, ["a.png", "a.pdf"])
        self.assertEqual(self._save(), files)
        self.assertNotIn(b"CreationDate", files["a.pdf"])
        self.assertGreater(imageio.imread(self.directory / "a.png").std(), 0.0)
        self.assertEmpty(figure_files.plt.get_fignums())

    def test_captions(self):
        figures = [
            Drawn("a", "Figure A", "What a shows.", (pathlib.Path("runs/one"), pathlib.Path("runs/two"))),
            Drawn("b", "Figure B", "What b shows.", ()),
        ]
        figure_files.write_captions(self.directory, figures)
        text = (self.directory / "captions.md").read_text()
        self.assertIn("## Figure A\n\n![Figure A](a.png)\n\nWhat a shows.\n\nFrom `runs/one`, `runs/two`.", text)
        self.assertIn("[`b.pdf`](b.pdf)", text)
        self.assertEqual(text.count("No run is needed"), 1)


if __name__ == "__main__":
    absltest.main()
