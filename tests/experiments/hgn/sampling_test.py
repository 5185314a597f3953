"""Tests of `experiments.hgn.sampling`, and of the program that calls it."""

import dataclasses
import os
import subprocess
import sys

import imageio.v3 as imageio
import jax
import numpy as np
import pytest

from experiments.hgn import sampling
from experiments.hgn.sampling import KINDS, Options
from hgn_jax import make_hgn
from tests.experiments import tiny_hgn
from tests.experiments.tiny_hgn import CLIPS, CONFIG
from tests.root import ROOT

_OPTIONS = Options(num_samples=3, num_steps=6)


def _frames(kind, **options):
    return sampling.trajectories(*tiny_hgn.model(), kind, CLIPS, _OPTIONS._replace(**options))


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
    np.testing.assert_array_equal(_frames("prior"), _frames("prior"))
    assert np.abs(_frames("prior", seed=1) - _frames("prior")).max() > 1e-4


def test_the_prior_has_the_shape_of_the_models_latent():
    hgn = make_hgn(dataclasses.replace(CONFIG, latent="vector", hamiltonian_network="mlp"))
    params = hgn.init(jax.random.PRNGKey(0), {"image": CLIPS})
    frames = sampling.trajectories(hgn, params, "prior", CLIPS, _OPTIONS)
    assert frames.shape == (3, 7, 8, 8, 3)
    assert np.abs(frames[1:] - frames[:1]).max() > 1e-4  # all different


@pytest.mark.slow
def test_files(tmp_path):
    directory = tmp_path / "new" / "samples"
    run = tiny_hgn.run(metadata={})
    assert list(sampling.write(run, _OPTIONS._replace(num_samples=9), directory)) == list(KINDS)
    for kind in KINDS:
        assert len(imageio.imread(directory / f"{kind}.mp4")) == 7, kind
        assert len(imageio.imread(directory / f"{kind}.gif")) > 1, kind  # equal frames become one
        assert np.std(imageio.imread(directory / f"{kind}.png")) > 0.0
    plain, observed = (imageio.imread(directory / f"{kind}.gif").shape for kind in ("backward", "forward"))
    assert observed[1] == 2 * plain[1]  # the observed clips are above


@pytest.mark.parametrize(
    "arguments, message",
    [
        ("--workdir=nowhere", "no run in --workdir=nowhere"),
        ("--workdir=nowhere --dt_scale=0", "--dt_scale must be positive and finite, got 0.0"),
        ("--workdir=nowhere --num_steps=0", "--num_steps=0"),
    ],
)
def test_a_mistake_in_the_command_is_one_line(arguments, message, tmp_path):
    result = subprocess.run(
        [sys.executable, "-m", "experiments.sample", *arguments.split()], capture_output=True, text=True,
        cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert result.returncode == 2
    (line,) = result.stderr.splitlines()
    assert line.startswith("error: ") and message in line
