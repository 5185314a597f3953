"""Tests of `experiments.reporting.pictures`."""

import contextlib
import pathlib
import unittest.mock

import imageio.v3 as imageio
import numpy as np
from absl.testing import absltest, parameterized
from matplotlib import pyplot as plt

from experiments.reporting import pictures
from tests.experiments.reporting import reported_runs


@contextlib.contextmanager
def _figures_kept():
    """Collects figures instead of writing them."""
    figures = []
    with unittest.mock.patch.object(pictures, "save", lambda figure, path: figures.append(figure)):
        yield figures
    for figure in figures:
        plt.close(figure)


class PicturesTest(parameterized.TestCase):
    def setUp(self):
        super().setUp()
        self.path = pathlib.Path(self.create_tempdir().full_path) / "picture.png"

    def test_strips_show_every_clip(self):
        observed = np.zeros((2, 5, 8, 8, 3), np.float32)
        observed[0, ..., 0] = observed[1, ..., 1] = 1.0  # a red clip and a green one
        predicted = np.zeros_like(observed)
        predicted[..., 2] = 1.0  # reconstructed in blue
        pictures.draw_strips(self.path, [("observed", observed), ("HGN", predicted)], "test")
        pixels = imageio.imread(self.path)[..., :3].reshape(-1, 3)
        shares = [np.mean(np.all(pixels == colour, axis=1)) for colour in np.eye(3, dtype=int) * 255]
        self.assertGreater(min(shares), 0.1)
        self.assertAlmostEqual(shares[0] + shares[1], shares[2], delta=0.02)

    def test_labels_and_times_of_strips(self):
        with _figures_kept() as figures:
            rows = [(name, np.zeros((2, 31, 8, 8, 3))) for name in "ab"]
            pictures.draw_strips(self.path, rows, "title", step=-0.5, at_most=3)
        axes = figures[0].axes[0]
        self.assertEqual([label.get_text() for label in axes.get_yticklabels()], ["a", "b", "a", "b"])
        self.assertEqual([label.get_text() for label in axes.get_xticklabels()], ["0", "-7.5", "-15"])

    @parameterized.parameters((5, 0), (2, 1), (1, 1))
    def test_where_the_prediction_begins_is_marked(self, seen, marks):
        with _figures_kept() as figures:
            pictures.draw_errors(self.path, {**reported_runs.results(), "frames_seen": seen}, "HGN")
        for axes in figures[0].axes:
            lines = [line for line in axes.lines if line.get_label() == "last frame seen"]
            self.assertLen(lines, marks)
            self.assertEqual([line.get_xdata()[0] for line in lines], [seen - 1] * marks)

    def test_errors_of_every_row_under_its_name(self):
        results = reported_runs.results()
        results["test"]["scipy"] = {"mse_per_step": [3e-4] * 5}  # which is that of the training split too
        with _figures_kept() as figures:
            pictures.draw_errors(self.path, results, "HNN")
        lines = {line.get_label(): line.get_ydata() for line in figures[0].axes[1].lines}
        self.assertEqual(list(lines), ["HNN", "HNN, by scipy", "mean image", "first frame held"])
        np.testing.assert_array_equal(lines["HNN, by scipy"], 3e-4)
        np.testing.assert_array_equal(lines["first frame held"], [np.nan, *[4e-4] * 4])

    def test_training_curves_are_logarithmic_where_they_can_be(self):
        rows = [{"step": step, "mse": 1.0 / step, "kl": 0.0} for step in (1, 2, 3)]
        with _figures_kept() as figures:
            pictures.draw_training(self.path, rows, {"mse": "error", "kl": "KL", "multiplier": "multiplier"})
            pictures.draw_training(self.path, rows, {"mse": "error"}, logarithmic=False)
        self.assertEqual([axes.get_title() for axes in figures[0].axes], ["error", "KL"])
        self.assertEqual([axes.get_yscale() for axes in figures[0].axes], ["log", "linear"])
        self.assertEqual(figures[1].axes[0].get_yscale(), "linear")

    def test_no_rows_no_picture(self):
        pictures.draw_training(self.path, [], {"mse": "error"})
        self.assertFalse(self.path.exists())

    def test_frame_numbers(self):
        self.assertEqual(list(pictures.frame_numbers(31, 4)), [0, 10, 20, 30])
        self.assertEqual(list(pictures.frame_numbers(3, 8)), [0, 1, 2])


if __name__ == "__main__":
    absltest.main()
