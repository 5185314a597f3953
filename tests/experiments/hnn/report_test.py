"""Tests of `experiments.hnn.report`; `page_test.py` opens its pages in a browser."""

import re

from experiments.hnn import report
from tests.experiments.reporting import reported_runs


def test_page_of_a_model_of_frames(tmp_path):
    page = (reported_runs.report_hnn(tmp_path) / "index.html").read_text(encoding="utf-8")
    for text in ("PixelHNN: a preset", "HNN, by scipy", "41.5 (69%)", "SyMetric", "trained on pendulum (data set"):
        assert text in page
    assert "python -m experiments.hnn --config=pendulum_small --workdir" in page


def test_page_of_a_model_of_states(tmp_path):
    page = (reported_runs.report_states(tmp_path) / "index.html").read_text(encoding="utf-8")
    for text in ("HNN of true states: a preset", "field error of true energy", "<code>paths.png</code>"):
        assert text in page
    assert "reconstruction_test" not in page


def test_summary(capsys):
    report.print_summary(reported_runs.results(model="pixel", prediction=reported_runs.PREDICTION))
    summary = capsys.readouterr().out
    assert re.search(r"HNN +2\.00 ± 0\.10 +2\.00 ± 0\.10", summary)
    assert re.search(r"60 steps predicted +41\.5 \(69%\) +60 \(100%\)", summary)
