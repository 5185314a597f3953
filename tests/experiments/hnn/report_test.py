"""Tests of `experiments.hnn.report`; `page_test.py` opens its pages in a browser, `hnn_test.py` those of whole runs."""

import contextlib
import io
import pathlib

from absl.testing import absltest

from experiments.hnn import report as hnn_report
from tests.experiments.reporting import reported_runs


class HNNReportTest(absltest.TestCase):
    def setUp(self):
        super().setUp()
        self.directory = pathlib.Path(self.create_tempdir().full_path)

    def test_page_of_a_model_of_frames(self):
        page = (reported_runs.report_hnn(self.directory).report / "index.html").read_text(encoding="utf-8")
        for text in ("PixelHNN: a preset", "HNN, by scipy", "41.5 (69%)", "SyMetric", "learned pendulum (data set"):
            self.assertIn(text, page)
        self.assertIn("python -m experiments.hnn --config=pendulum_small --workdir", page)

    def test_page_of_a_model_of_states(self):
        page = (reported_runs.report_states(self.directory).report / "index.html").read_text(encoding="utf-8")
        for text in ("HNN of true states: a preset", "field error of true energy", "<code>paths.png</code>"):
            self.assertIn(text, page)
        self.assertNotIn("reconstruction_test", page)

    def test_summary(self):
        results = reported_runs.results(model="pixel", prediction=reported_runs.PREDICTION)
        with contextlib.redirect_stdout(io.StringIO()) as text:
            hnn_report.print_summary(results)
        self.assertRegex(text.getvalue(), r"HNN +2\.00 ± 0\.10 +2\.00 ± 0\.10")
        self.assertRegex(text.getvalue(), r"of 60 steps +41\.5 \(69%\) +60 \(100%\)")


if __name__ == "__main__":
    absltest.main()
