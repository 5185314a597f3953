"""Tests of `experiments.hgn_evaluation`; `hgn_test.py` evaluates whole runs."""

import pathlib

import numpy as np
from absl.testing import absltest

from experiments import hgn_evaluation, presets
from experiments.command_line import UserError
from experiments.run_directory import RunDirectory, open_run, write_config


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
