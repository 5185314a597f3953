"""Tests of `experiments.hgn.evaluation`; `hgn_test.py` evaluates whole runs."""

import pathlib
import types

import jax
import numpy as np
from absl.testing import absltest

from experiments.hgn import evaluation as hgn_evaluation
from experiments.hgn import presets
from experiments.run.command_line import UserError
from experiments.run.run_directory import RunDirectory, open_run, write_config
from hgn_jax import HGNConfig, make_hgn

_FRAMES = np.random.default_rng(0).integers(0, 256, (3, 4, 8, 8, 3), np.uint8)


def _tiny_hgn(**changes):
    """An HGN for `_FRAMES`, and its initial parameters."""
    filters = ("encoder_filters", "transform_filters", "hamiltonian_filters", "decoder_filters")
    hgn = make_hgn(HGNConfig(image_size=8, state_channels=2, **dict.fromkeys(filters, (2,)), **changes))
    return hgn, hgn.init(jax.random.PRNGKey(0), {"image": _FRAMES})


class HGNEvaluationTest(absltest.TestCase):
    def test_split_metrics(self):
        errors = {
            "model": np.full((3, 2), 0.2),
            "mean_image": np.full((3, 2), 0.5),
            "noise_floor": np.full((3, 2), 0.1),
        }
        result = hgn_evaluation.split_metrics(errors)
        self.assertEqual(result["num_examples"], 3)
        self.assertAlmostEqual(result["mse"], 0.2)
        self.assertAlmostEqual(result["skill"], 0.75)
        self.assertAlmostEqual(result["reference"]["mean_image"]["mse"], 0.5)

    def test_there_is_no_skill_without_a_noise_floor(self):
        result = hgn_evaluation.split_metrics({"model": np.ones((3, 2)), "mean_image": np.ones((3, 2))})
        self.assertNotIn("skill", result)

    def test_videos_are_told_from_simulations_and_described(self):
        self.assertEqual(hgn_evaluation.describe_videos({"canvas": {}, "splits": {"train": {}}}), {})
        metadata = {
            "source": "/videos",
            "fingerprint": "f",
            "videos": {"train": ["a", "b"], "test": ["c"]},
            "left_out": {"d.txt": "no video"},
            "splits": {"train": {"num_trajectories": 7}, "test": {"num_trajectories": 3}},
        }
        found = hgn_evaluation.describe_videos(metadata)
        self.assertCountEqual(found["not_measured"], ["noise_floor", "skill"])
        self.assertEqual(
            found["videos"],
            {
                "source": "/videos",
                "fingerprint": "f",
                "train_windows": 7,
                "test_windows": 3,
                "train_clips": 2,
                "test_clips": 1,
                "left_out": {"d.txt": "no video"},
            },
        )

    def test_variances_are_those_of_the_states_where_the_posterior_is_of_them(self):
        for changes in (
            {"use_transform": False},
            {"use_transform": True},
            {"use_transform": False, "variational": False},
        ):
            hgn, params = _tiny_hgn(**changes)
            experiment = types.SimpleNamespace(model=hgn, state=types.SimpleNamespace(params=params))
            path, variance = hgn_evaluation._states_along(experiment, _FRAMES)
            self.assertEqual(path.q.shape, (3, 4, 4, 4, 2))
            if changes != {"use_transform": False}:
                self.assertIsNone(variance)
                continue
            posterior = hgn.infer(params, _FRAMES)
            np.testing.assert_allclose(path.p[:, 0], posterior.mean[..., 2:], atol=1e-6)
            self.assertEqual(variance.shape, (3, 64))
            np.testing.assert_allclose(variance[:, :32], posterior.scale[..., :2].reshape(3, -1) ** 2, rtol=1e-5)
            np.testing.assert_allclose(variance[:, 32:], posterior.scale[..., 2:].reshape(3, -1) ** 2, rtol=1e-5)

    def test_the_energy_is_measured_by_leapfrog_by_euler_and_by_the_integrator_of_the_model(self):
        hgn, params = _tiny_hgn(integrator="symplectic_euler")
        energy = hgn_evaluation.dynamics_metrics(hgn, params, _FRAMES)["energy"]
        self.assertCountEqual(energy, ["symplectic_euler", "leapfrog", "euler"])
        for statistics in energy.values():
            self.assertCountEqual(statistics, ["mean", "variance", "drift"])
        self.assertLess(energy["leapfrog"]["variance"], energy["euler"]["variance"])

    def test_a_directory_without_a_run(self):
        with self.assertRaisesRegex(UserError, "no run in"):
            hgn_evaluation.load_run(RunDirectory(pathlib.Path(self.create_tempdir().full_path)))

    def test_a_run_without_checkpoint(self):
        config = presets.get("mass_spring_small")
        run = open_run(self.create_tempdir().full_path, config)
        write_config(run, config)
        with self.assertRaisesRegex(UserError, "no checkpoint in"):
            hgn_evaluation.load_run(run)


if __name__ == "__main__":
    absltest.main()
