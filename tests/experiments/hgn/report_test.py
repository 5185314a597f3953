"""Tests of `experiments.hgn.report`; `page_test.py` opens its page in a browser."""

import json
import re

import imageio.v3 as imageio
import numpy as np

from experiments.clips.results import PredictionClips, PredictionTime, Videos
from experiments.hgn import report
from tests.experiments.reporting import reported_runs

_MORE = {
    "prediction": reported_runs.PREDICTION,
    "mean_image_prediction": {"forward": {"60": PredictionTime(steps=3.0, fraction=0.05, horizon=60)}, "backward": {}},
    "prediction_clips": PredictionClips(
        num_examples=32, left_out=0, compared_with="noise-free frames", simulated_steps={"before": 60, "after": 60}
    ),
    "latent": reported_runs.LATENT,
}
_VIDEOS = {
    "not_measured": {"noise_floor": "not known", "skill": "not known"},
    "videos": Videos(
        source="/videos", fingerprint="0", train_windows=7, test_windows=3, train_clips=2, test_clips=1,
        left_out={"a.txt": "no video"},
    ),
    "test": reported_runs.split_errors(skill=None),
    "train": reported_runs.split_errors(skill=None),
    "notes": ["a remark"],
}  # fmt: skip


def _page(directory, **more):
    return (reported_runs.report_hgn(directory, **more) / "index.html").read_text(encoding="utf-8")


def test_pictures_and_page(tmp_path):
    page = _page(tmp_path, **_MORE)
    for name in ("reconstruction_test.png", "reconstruction_train.png", "error_per_step.png", "training.png"):
        assert np.std(imageio.imread(tmp_path / "report" / name)) > 0.0, name
        assert f"<code>{name}</code>" in page
    assert len(imageio.imread(tmp_path / "report" / "reconstruction_test.gif")) == reported_runs.NUM_FRAMES
    # The error is a quarter of the mean image's.
    assert "squared error is 0.25 times that of the best constant image; its skill is 0.900" in page
    assert "trained on mass_spring (data set small) for 30 steps" in page
    assert "python -m experiments.hgn --config=mass_spring_small --workdir" in page
    batch_size = json.loads((tmp_path / "config.json").read_text())["training"]["batch_size"]
    assert f"training.batch_size = {batch_size}\n" in page
    for text in ("Valid prediction time", "41.5 (69%)", "60 (100%)", "on 32 traj", "SyMetric", "0.95"):
        assert text in page


def test_summary(capsys):
    report.print_summary(reported_runs.results(**_MORE))
    summary = capsys.readouterr().out
    for pattern in (
        r"10⁴ +test +train\n", r"HGN +2\.00 ± 0\.10 +2\.00 ± 0\.10", r"skill +0\.900 +0\.900", r"drift +0\.01 +2\n",
        r"there and back +1\.0e-07", r"HGN, 60 steps predicted +41\.5 \(69%\) +60 \(100%\)",
        r"mean image, 60 steps predicted +3 \(5%\) +-\n", r"distance \(lower is better\) +-\n",
    ):  # fmt: skip
        assert re.search(pattern, summary), pattern
    assert "noise floor" not in summary


def test_summary_without_prediction_and_latents(capsys):
    report.print_summary(reported_runs.results())
    summary = capsys.readouterr().out
    assert "SyMetric" not in summary and "prediction" not in summary


def test_videos(tmp_path, capsys):
    report.print_summary(reported_runs.results(**_VIDEOS))
    summary = capsys.readouterr().out
    assert "not measured: noise floor, skill: not known\n" in summary
    assert "note: a remark\n" in summary
    assert "7 train windows and 3 test windows of the videos in /videos; 1 left out\n  a.txt: no video\n" in summary
    page = _page(tmp_path, **_VIDEOS)
    for text in ("Not measured", "noise floor", "not known", "test windows", "Files left out", "a.txt"):
        assert text in page
