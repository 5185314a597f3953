"""Tests of the words and numbers of `experiments.hgn.report`; `page_test.py` opens its page in a browser."""

import re

from experiments.clips import report as frame_report
from experiments.clips.results import PredictionClips, PredictionTime, Videos
from experiments.hgn import report
from tests.experiments import made_up_results

_MORE = {
    "prediction": made_up_results.PREDICTION,
    "mean_image_prediction": {"forward": {"60": PredictionTime(steps=3.0, fraction=0.05, horizon=60)}, "backward": {}},
    "prediction_clips": PredictionClips(
        num_examples=32, left_out=0, compared_with="noise-free frames", simulated_steps={"before": 60, "after": 60}
    ),
    "latent": made_up_results.LATENT,
}
_VIDEOS = {
    "not_measured": {"noise_floor": "not known", "skill": "not known"},
    "videos": Videos(
        source="/videos", fingerprint="0", train_windows=7, test_windows=3, train_clips=2, test_clips=1,
        left_out={"a.txt": "no video"}, crop={"left": 0.25, "top": 0.4, "right": 0.75, "bottom": 0.6},
    ),
    "test": made_up_results.split_errors(skill=None),
    "train": made_up_results.split_errors(skill=None),
    "notes": ["a remark"],
}  # fmt: skip


def test_outcome_in_words():
    config = {"data.name": "mass_spring", "data.config": "small"}
    text = frame_report.describe(config, made_up_results.results())
    assert "trained on mass_spring (data set small) for 30 steps" in text
    # The error is a quarter of the mean image's.
    assert "squared error is 0.25 times that of the best constant image; its skill is 0.900" in text
    videos = made_up_results.results(test=made_up_results.split_errors(skill=None))
    assert "skill" not in frame_report.describe(config, videos)


def test_summary(capsys):
    report.print_summary(made_up_results.results(**_MORE))
    summary = capsys.readouterr().out
    for pattern in (
        r"10⁴ +test +train\n", r"HGN +2\.00 ± 0\.10 +2\.00 ± 0\.10", r"skill +0\.900 +0\.900", r"drift +0\.01 +2\n",
        r"there and back +1\.0e-07", r"HGN, 60 steps predicted +41\.5 \(69%\) +60 \(100%\)",
        r"mean image, 60 steps predicted +3 \(5%\) +-\n", r"R² .* +0\.95\n", r"distance \(lower is better\) +-\n",
    ):  # fmt: skip
        assert re.search(pattern, summary), pattern
    assert "noise floor" not in summary


def test_summary_without_prediction_and_latents(capsys):
    report.print_summary(made_up_results.results())
    summary = capsys.readouterr().out
    assert "SyMetric" not in summary and "prediction" not in summary


def test_videos(capsys):
    results = made_up_results.results(**_VIDEOS)
    report.print_summary(results)
    summary = capsys.readouterr().out
    assert "not measured: noise floor, skill: not known\n" in summary
    assert "note: a remark\n" in summary
    assert "7 train windows and 3 test windows of the videos in /videos; 1 left out\n" in summary
    part = "25% to 75% of the width and 40% to 60% of the height"
    assert f"  cropped to the square around {part}, where things move\n  a.txt: no video\n" in summary
    *_, unmeasured, videos, left_out = frame_report.frame_tables(results, "HGN")
    assert unmeasured.rows == [("noise floor", "not known"), ("skill", "not known")]
    assert ("test windows", "3") in videos.rows and ("crop", part) in videos.rows
    assert left_out.rows == [("a.txt", "no video")]
