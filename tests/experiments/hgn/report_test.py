"""Tests of `experiments.hgn.report`; `page_test.py` opens its page in a browser, `hgn_test.py` that of a whole run."""

import contextlib
import io
import json
import pathlib

import imageio.v3 as imageio
import numpy as np
from absl.testing import absltest

from experiments.hgn import report
from tests.experiments.reporting import reported_runs


def _printed(results):
    with contextlib.redirect_stdout(io.StringIO()) as text:
        report.print_summary(results)
    return text.getvalue()


class ReportTest(absltest.TestCase):
    def setUp(self):
        super().setUp()
        self.directory = pathlib.Path(self.create_tempdir().full_path)

    def test_pictures_and_page(self):
        run = reported_runs.report_hgn(self.directory)
        page = (run.report / "index.html").read_text(encoding="utf-8")
        for name in ("reconstruction_test.png", "reconstruction_train.png", "error_per_step.png", "training.png"):
            self.assertGreater(np.std(imageio.imread(run.report / name)), 0.0, name)
            self.assertIn(f"<code>{name}</code>", page)
        self.assertLen(imageio.imread(run.report / "reconstruction_test.gif"), reported_runs.NUM_FRAMES)
        # A quarter of the mean image's error, in the words of the lead.
        self.assertIn("squared error is 0.25 times that of the best constant image; its skill is 0.900", page)
        self.assertIn("learned mass_spring (data set small) in 30 steps", page)
        self.assertIn("python -m experiments.hgn --config=mass_spring_small --workdir", page)
        config = json.loads(run.config.read_text())
        self.assertIn(f"training.batch_size = {config['training']['batch_size']}\n", page)

    def test_what_newer_runs_measure_is_shown(self):
        more = {
            "prediction": reported_runs.PREDICTION,
            "mean_image_prediction": {"forward": {"60": {"steps": 3.0, "fraction": 0.05}}, "backward": {}},
            "prediction_clips": {"num_examples": 32, "compared_with": "noise-free frames"},
            "latent": reported_runs.LATENT,
        }
        page = (reported_runs.report_hgn(self.directory, **more).report / "index.html").read_text(encoding="utf-8")
        for text in ("Valid prediction time", "41.5 (69%)", "60 (100%)", "on 32 traj", "SyMetric", "0.95"):
            self.assertIn(text, page)
        summary = _printed(reported_runs.results(**more))
        self.assertRegex(summary, r"HGN, of 60 steps +41\.5 \(69%\) +60 \(100%\)")
        self.assertRegex(summary, r"mean image, of 60 steps +3 \(5%\) +-\n")
        self.assertRegex(summary, r"distance +-\n")
        self.assertNotIn("SyMetric", _printed(reported_runs.results()))

    def test_summary(self):
        summary = _printed(reported_runs.results())
        self.assertRegex(summary, r"10⁴ +test +train\n")
        self.assertRegex(summary, r"HGN +2\.00 ± 0\.10 +2\.00 ± 0\.10")
        self.assertNotIn("noise floor", summary)
        self.assertRegex(summary, r"skill +0\.900 +0\.900")
        self.assertRegex(summary, r"drift +0\.01 +2\n")
        self.assertRegex(summary, r"there and back +1\.0e-07")

    def test_summary_and_page_of_videos_say_what_is_not_measured(self):
        counts = {"train_windows": 7, "test_windows": 3, "train_clips": 2, "test_clips": 1}
        more = {
            "not_measured": {"noise_floor": "not known", "skill": "not known"},
            "videos": {"source": "/videos", **counts, "left_out": {"a.txt": "no video"}},
        }
        results = reported_runs.results(**more)
        del results["train"]["skill"]  # which is that of the test split too
        summary = _printed(results)
        self.assertIn("not measured: noise floor, skill: not known\n", summary)
        self.assertIn("7 train windows and 3 test windows of the videos in /videos; 1 left out\n", summary)
        self.assertIn("  a.txt: no video\n", summary)
        page = (reported_runs.report_hgn(self.directory, **more).report / "index.html").read_text(encoding="utf-8")
        for text in ("Not measured", "noise floor", "not known", "test windows", "Files left out", "a.txt"):
            self.assertIn(text, page)


if __name__ == "__main__":
    absltest.main()
