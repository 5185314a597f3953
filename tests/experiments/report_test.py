"""Tests of `experiments.report`; `hgn_test.py` opens the pictures of a whole run."""

import contextlib
import io
import pathlib

import imageio.v3 as imageio
import numpy as np
from absl.testing import absltest

from experiments import report


def _results():
    row = {"mse": 2e-4, "mse_std": 1e-5, "mse_per_step": [2e-4, 2e-4]}
    split = {**row, "skill": 0.9, "reference": {"mean_image": row, "first_frame": {**row, "mse_per_step": [0.0, 4e-4]}}}
    energy = {"leapfrog": {"drift": 0.01}, "euler": {"drift": 2.0}}
    return {"train": split, "test": split, "dynamics": {"reversibility": 1e-7, "energy": energy}}


class ReportTest(absltest.TestCase):
    def setUp(self):
        super().setUp()
        self.path = pathlib.Path(self.create_tempdir().full_path) / "picture.png"

    def test_filmstrips_show_every_clip(self):
        observed = np.zeros((2, 5, 8, 8, 3), np.float32)
        observed[0, ..., 0] = observed[1, ..., 1] = 1.0  # a red clip and a green one
        predicted = np.zeros_like(observed)
        predicted[..., 2] = 1.0  # reconstructed in blue
        report.draw_filmstrips(self.path, observed, predicted, "test")
        pixels = imageio.imread(self.path)[..., :3].reshape(-1, 3)
        shares = [np.mean(np.all(pixels == colour, axis=1)) for colour in np.eye(3, dtype=int) * 255]
        self.assertGreater(min(shares), 0.1)
        self.assertAlmostEqual(shares[0] + shares[1], shares[2], delta=0.02)

    def test_error_and_training_curves(self):
        report.draw_errors(self.path, _results())
        self.assertGreater(np.std(imageio.imread(self.path)), 0.0)
        rows = [{"step": step, "mse": 1.0 / step, "kl": 0.0, "gradient_norm": 1.0} for step in (1, 2, 3)]
        report.draw_training(self.path, rows)
        self.assertGreater(np.std(imageio.imread(self.path)), 0.0)

    def test_where_the_prediction_begins_is_marked(self):
        pictures = []
        for seen in (2, 1):
            report.draw_errors(self.path, {**_results(), "frames_seen": seen})
            pictures.append(np.all(np.abs(imageio.imread(self.path)[..., :3].astype(int) - 128) < 3, axis=-1).sum())
        self.assertGreater(pictures[1], pictures[0] + 100)

    def test_summary(self):
        with contextlib.redirect_stdout(io.StringIO()) as text:
            report.print_summary(_results())
        self.assertRegex(text.getvalue(), r"HGN +2\.00 ± 0\.10 +2\.00 ± 0\.10")
        self.assertRegex(text.getvalue(), r"noise floor +- +-")
        self.assertRegex(text.getvalue(), r"skill +0\.900 +0\.900")

    def test_summary_and_page_of_videos_say_what_is_not_measured(self):
        results = _results()
        del results["train"]["skill"]  # which is that of the test split too
        results["not_measured"] = {"noise_floor": "not known", "skill": "not known"}
        counts = {"train_windows": 7, "test_windows": 3, "train_clips": 2, "test_clips": 1}
        results["videos"] = {"source": "/videos", **counts, "left_out": {"a.txt": "no video"}}
        results["run"] = {"steps": 1, "seed": 0, "device": "cpu"}
        with contextlib.redirect_stdout(io.StringIO()) as text:
            report.print_summary(results)
        self.assertIn("not measured: noise floor, skill: not known\n", text.getvalue())
        self.assertIn("7 train windows and 3 test windows of the videos in /videos; 1 left out\n", text.getvalue())
        self.assertIn("  a.txt: no video\n", text.getvalue())
        tables = report._tables(results)
        self.assertEqual(tables["Not measured"], {"noise floor": "not known", "skill": "not known"})
        self.assertEqual(tables["The videos"]["test windows"], "3")
        self.assertEqual(tables["Files left out"], {"a.txt": "no video"})

    def test_frame_numbers(self):
        self.assertEqual(list(report.frame_numbers(31, 4)), [0, 10, 20, 30])
        self.assertEqual(list(report.frame_numbers(3, 8)), [0, 1, 2])


if __name__ == "__main__":
    absltest.main()
