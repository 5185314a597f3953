"""Tests of `experiments.hgn.sampling`, and of the program that calls it."""

import dataclasses
import os
import pathlib
import subprocess
import sys

import imageio.v3 as imageio
import jax
import numpy as np
from absl.testing import absltest, parameterized
from experiments.run.experiment import Experiment

from experiments.hgn import sampling
from experiments.hgn.sampling import KINDS, Options
from hgn_jax import HGNConfig, make_hgn
from hgn_jax.training import TrainState
from tests.root import ROOT

_CONFIG = HGNConfig(
    image_size=8, state_channels=2, encoder_filters=(4, 4), transform_filters=(4,), hamiltonian_filters=(4,),
    decoder_filters=(4,), dt=0.05,
)  # fmt: skip
_CLIPS = np.random.default_rng(0).integers(0, 256, (3, 5, 8, 8, 3), dtype=np.uint8)
_OPTIONS = Options(num_samples=3, num_steps=6)


class _Source(list):
    def __getitems__(self, indices):
        return [self[i] for i in indices]


class TrajectoriesTest(parameterized.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.hgn = make_hgn(_CONFIG)
        cls.params = cls.hgn.init(jax.random.PRNGKey(0), {"image": _CLIPS})

    def _frames(self, kind, **options):
        return sampling.trajectories(self.hgn, self.params, kind, _CLIPS, _OPTIONS._replace(**options))

    @parameterized.parameters(*KINDS)
    def test_frames(self, kind):
        frames = self._frames(kind)
        self.assertEqual(frames.shape, (3, 7, 8, 8, 3))
        self.assertBetween(frames.min(), 0.0, 1.0)
        self.assertGreater(np.abs(frames[:, -1] - frames[:, 0]).max(), 1e-4)  # it moves

    def test_the_same_start_in_both_directions_and_at_all_speeds(self):
        forward = self._frames("forward")
        for kind in ("backward", "fast", "slow"):
            frames = self._frames(kind)
            np.testing.assert_allclose(frames[:, 0], forward[:, 0], atol=1e-6)
            self.assertGreater(np.abs(frames[:, 1] - forward[:, 1]).max(), 1e-5, kind)

    def test_speed_is_a_scale_of_time(self):
        forward = self._frames("forward")
        change = np.abs(forward[:, 1:] - forward[:, :-1]).max()
        np.testing.assert_allclose(self._frames("slow")[:, ::2], forward[:, :4], atol=0.05 * change)
        np.testing.assert_allclose(self._frames("fast")[:, :4], forward[:, ::2], atol=0.05 * change)
        np.testing.assert_allclose(self._frames("fast", dt_scale=0.5), forward, atol=1e-5)

    def test_forward_of_the_clips_own_length_is_the_reconstruction(self):
        reconstructed = np.clip(self.hgn.reconstruct(self.params, _CLIPS, 4), 0.0, 1.0)
        np.testing.assert_allclose(self._frames("forward", num_steps=4), reconstructed, atol=1e-5)

    def test_interpolation_goes_from_clip_to_clip(self):
        forward, between = self._frames("forward"), self._frames("interpolation")
        np.testing.assert_allclose(between[[0, -1]], forward[:2], atol=1e-5)
        self.assertGreater(np.abs(between[1] - between[0]).max(), 1e-4)

    def test_samples_are_those_of_the_seed(self):
        np.testing.assert_array_equal(self._frames("prior"), self._frames("prior"))
        self.assertGreater(np.abs(self._frames("prior", seed=1) - self._frames("prior")).max(), 1e-4)

    def test_the_prior_has_the_shape_of_the_models_latent(self):
        config = dataclasses.replace(_CONFIG, latent="vector", hamiltonian_network="mlp")
        hgn = make_hgn(config)
        params = hgn.init(jax.random.PRNGKey(0), {"image": _CLIPS})
        frames = sampling.trajectories(hgn, params, "prior", _CLIPS, _OPTIONS)
        self.assertEqual(frames.shape, (3, 7, 8, 8, 3))
        self.assertGreater(np.abs(frames[1:] - frames[:1]).max(), 1e-4)  # no two alike

    def test_files(self):
        directory = pathlib.Path(self.create_tempdir().full_path) / "new" / "samples"
        state = TrainState(0, self.params, None, None, None)
        clips = type("Clips", (), {"splits": {"test": _Source({"image": clip} for clip in _CLIPS)}})
        experiment = Experiment(None, None, self.hgn, clips, None, None, None, state, [], {})
        self.assertEqual(list(sampling.write(experiment, _OPTIONS._replace(num_samples=9), directory)), list(KINDS))
        for kind in KINDS:
            self.assertLen(imageio.imread(directory / f"{kind}.mp4"), 7, kind)
            self.assertGreater(len(imageio.imread(directory / f"{kind}.gif")), 1, kind)  # equal frames become one
            self.assertGreater(np.std(imageio.imread(directory / f"{kind}.png")), 0.0)
        plain, observed = (imageio.imread(directory / f"{kind}.gif").shape for kind in ("backward", "forward"))
        self.assertEqual(observed[1], 2 * plain[1])  # the observed clips stand above


class ProgramTest(parameterized.TestCase):
    @parameterized.parameters(
        ("--workdir=nowhere", "no run in --workdir=nowhere"),
        ("--workdir=nowhere --dt_scale=0", "--dt_scale must be positive and finite, got 0.0"),
        ("--workdir=nowhere --dt_scale=nan", "--dt_scale must be positive and finite, got nan"),
        ("--workdir=nowhere --num_steps=0", "--num_steps=0"),
    )
    def test_a_mistake_is_one_line(self, arguments, message):
        result = subprocess.run(
            [sys.executable, "-m", "experiments.sample", *arguments.split()], capture_output=True, text=True,
            cwd=self.create_tempdir().full_path,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )  # fmt: skip
        self.assertEqual(result.returncode, 2)
        self.assertStartsWith(result.stderr, "error: ")
        self.assertIn(message, result.stderr)
        self.assertLen(result.stderr.splitlines(), 1)


if __name__ == "__main__":
    absltest.main()
