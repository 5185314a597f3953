"""Tests of `experiments.hgn.sampling`, and of the program that calls it."""

import os
import subprocess
import sys

import imageio.v3 as imageio
import numpy as np
import pytest

from experiments.hgn import sampling
from experiments.hgn.sampling import KINDS, Options
from experiments.hgn.states import fit_or_load
from tests.experiments import tiny_hgn
from tests.experiments.tiny_hgn import CLIPS
from tests.root import ROOT

_OPTIONS = Options(num_samples=3, num_steps=6)


def _frames(kind, **options):
    density = fit_or_load(tiny_hgn.run(metadata={}))
    return sampling.trajectories(*tiny_hgn.model(), kind, CLIPS, _OPTIONS._replace(**options), density)


def _run_program(arguments, directory):
    return subprocess.run(
        [sys.executable, "-m", "experiments.sample", *arguments.split()], capture_output=True, text=True,
        cwd=directory, env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_frames(kind):
    frames = _frames(kind)
    assert frames.shape == (3, 7, 8, 8, 3)
    assert 0.0 <= frames.min() and frames.max() <= 1.0
    assert np.abs(frames[:, -1] - frames[:, 0]).max() > 1e-4


def test_the_same_start_in_both_directions_and_at_all_speeds():
    forward = _frames("forward")
    for kind in ("backward", "fast", "slow"):
        frames = _frames(kind)
        np.testing.assert_allclose(frames[:, 0], forward[:, 0], atol=1e-6)
        assert np.abs(frames[:, 1] - forward[:, 1]).max() > 1e-5, kind


def test_speed_is_a_scale_of_time():
    forward = _frames("forward")
    change = np.abs(forward[:, 1:] - forward[:, :-1]).max()
    np.testing.assert_allclose(_frames("slow")[:, ::2], forward[:, :4], atol=0.05 * change)
    np.testing.assert_allclose(_frames("fast")[:, :4], forward[:, ::2], atol=0.05 * change)
    np.testing.assert_allclose(_frames("fast", dt_scale=0.5), forward, atol=1e-5)


def test_forward_over_the_clips_length_is_the_reconstruction():
    hgn, params = tiny_hgn.model()
    reconstructed = np.clip(hgn.reconstruct(params, CLIPS, 4), 0.0, 1.0)
    np.testing.assert_allclose(_frames("forward", num_steps=4), reconstructed, atol=1e-5)


def test_interpolation_goes_from_clip_to_clip():
    forward, between = _frames("forward"), _frames("interpolation")
    np.testing.assert_allclose(between[[0, -1]], forward[:2], atol=1e-5)
    assert np.abs(between[1] - between[0]).max() > 1e-4


def test_samples_depend_on_the_seed_alone():
    np.testing.assert_array_equal(_frames("new"), _frames("new"))
    assert np.abs(_frames("new", seed=1) - _frames("new")).max() > 1e-4


@pytest.mark.slow
def test_files(tmp_path):
    directory = tmp_path / "new" / "samples"
    run = tiny_hgn.run(metadata={})
    assert list(sampling.write(run, _OPTIONS._replace(num_samples=9), directory, beside=run)) == list(KINDS)
    for kind in KINDS:
        assert len(imageio.imread(directory / f"{kind}.mp4")) == 7, kind
        assert len(imageio.imread(directory / f"{kind}.gif")) > 1, kind  # equal frames become one
        assert np.std(imageio.imread(directory / f"{kind}.png")) > 0.0
    plain, *taller = (imageio.imread(directory / f"{kind}.gif").shape[1] for kind in ("backward", "forward", "new"))
    assert taller == [2 * plain, 3 * plain]  # observed clips are above, and below those of the run beside it


@pytest.mark.parametrize(
    ("name", "states"), [("hgn", "samples z of the prior N(0, I)"), ("hgn anchored", "samples of a mixture of ")]
)
@pytest.mark.slow
def test_the_program_writes_a_page_of_two_runs(tiny_runs, tmp_path, name, states):
    run = tiny_runs(name).directory.path
    arguments = f"--workdir={run} --beside={run} --num_samples=2 --num_steps=3 --output={tmp_path / 'out'}"
    result = _run_program(arguments, tmp_path)
    assert result.returncode == 0, result.stderr
    assert result.stdout.count(f"begin with {states}") == 2
    page = (tmp_path / "out" / "index.html").read_text(encoding="utf-8")
    assert page.count("<figure>") == 2 * len(KINDS)
    assert f"Those of {run.name} begin with {states}" in page
    assert 'id="numbers"' not in page


def test_groups_of_clips_say_where_they_are_from():
    groups = [sampling.Group(name, f"{name} of a place", np.zeros((n, 5, 4, 4, 3))) for name, n in (("a", 2), ("b", 3))]
    (axes,) = sampling.draw_groups(groups, dt_scale=2.0).axes
    assert [label.get_text() for label in axes.get_yticklabels()] == ["a 1", "a 2", "b 1", "b 2", "b 3"]
    assert [label.get_text() for label in axes.get_xticklabels()] == ["0", "2", "4", "6", "8"]
    assert axes.get_title() == "a of a place\nb of a place"
    white_rows = np.all(axes.images[0].get_array() == 1.0, axis=(1, 2))
    assert np.flatnonzero(white_rows).tolist() == [4, *range(9, 15), 19, 24, *range(29, 35)]


@pytest.mark.parametrize(
    "arguments, message",
    [
        ("--workdir=nowhere", "no run in --workdir=nowhere"),
        ("--workdir=nowhere --dt_scale=0", "--dt_scale must be positive and finite, got 0.0"),
        ("--workdir=nowhere --num_steps=0", "--num_steps=0"),
    ],
)
def test_a_mistake_in_the_command_is_one_line(arguments, message, tmp_path):
    result = _run_program(arguments, tmp_path)
    assert result.returncode == 2
    (line,) = result.stderr.splitlines()
    assert line.startswith("error: ") and message in line
