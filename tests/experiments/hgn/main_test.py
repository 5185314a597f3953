"""Tests of `experiments.hgn`: whole runs at a tiny size."""

import contextlib
import dataclasses
import io
import json
import pathlib
import shutil
import tempfile
import unittest.mock

import chex
import imageio.v3 as imageio
import jax
import numpy as np
from absl.testing import absltest

from data_builders import datasets
from experiments.hgn import __main__ as hgn
from experiments.hgn import evaluation as hgn_evaluation
from experiments.hgn import presets
from experiments.run.command_line import UserError
from experiments.run.run_directory import RunDirectory, read_config
from hgn_jax import training
from hgn_jax.data import datasets as data
from hgn_jax.training import loop
from hgn_jax.training.checkpoints import Checkpoints
from hgn_jax.training.logs import read_metrics
from tests.experiments.reporting import chromium


def _config(data_dir):
    config = presets.get("mass_spring_small")
    config.image_size, config.encoder_filters, config.decoder_filters = 16, (8, 8), (8, 8)
    config.state_channels, config.transform_filters, config.hamiltonian_filters = 2, (8,), (8,)
    config.loss_frames, config.initial_horizon, config.unroll = 3, 4, 1
    config.data = dataclasses.replace(config.data, data_dir=str(data_dir), num_train=24, num_test=12, num_steps=8)
    config.training = dataclasses.replace(config.training, num_steps=12, batch_size=4, log_every=2, checkpoint_every=4)
    config.evaluation = presets.EvaluationConfig(num_examples=10, batch_size=4)
    return config


@contextlib.contextmanager
def compilation_cache(directory):
    """Keeps what is compiled in a directory."""
    settings = {
        "jax_enable_compilation_cache": True,
        "jax_compilation_cache_dir": str(directory),
        "jax_persistent_cache_min_compile_time_secs": 0.0,
    }
    before = {name: getattr(jax.config, name) for name in settings}
    for name, value in settings.items():
        jax.config.update(name, value)
    yield
    for name, value in before.items():
        jax.config.update(name, value)


class ExperimentTest(chex.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.root = pathlib.Path(cls.enterClassContext(tempfile.TemporaryDirectory()))
        # The same training step is compiled for several runs.
        cls.enterClassContext(compilation_cache(cls.root / "compiled"))
        cls.config = _config(cls.root / "data")
        cls.run_path = cls.root / "run"
        cls.results = hgn.run_experiment(cls.config, str(cls.run_path))

    def test_its_page_works_in_a_browser(self):
        chromium.assert_works(self, self.run_path / "report" / "index.html")

    def test_leaves_what_a_run_leaves(self):
        run = RunDirectory(self.run_path)
        self.assertEqual(read_config(run, presets.Config), self.config)
        self.assertEqual(json.loads(run.metrics.read_text()), self.results)
        rows = read_metrics(run.path / "metrics.csv")
        self.assertEqual([row["step"] for row in rows], [2, 4, 6, 8, 10, 12])
        self.assertContainsSubset(("loss", "mse", "kl", "multiplier", "gradient_norm"), rows[0])
        self.assertNotEmpty(list(run.path.glob("events.*")))
        for name in ("reconstruction_test.png", "reconstruction_train.png", "error_per_step.png", "training.png"):
            self.assertGreater(np.std(imageio.imread(run.report / name)), 0.0, name)
            self.assertIn(name, (run.report / "index.html").read_text())
        self.assertLen(imageio.imread(run.report / "reconstruction_test.gif"), 9)

    def test_numbers_of_the_run(self):
        self.assertEqual(self.results["run"]["steps"], 12)
        self.assertEqual(self.results["run"]["preset"], "mass_spring_small")
        self.assertGreater(self.results["run"]["wall_time_s"]["training"], 0.0)
        for split in ("train", "test"):
            row = self.results[split]
            self.assertEqual(row["num_examples"], 10)
            self.assertLen(row["mse_per_step"], 9)
            self.assertAlmostEqual(np.mean(row["mse_per_step"]), row["mse"], places=6)
            self.assertCountEqual(row["reference"], ["mean_image", "first_frame", "noise_floor"])
            self.assertLess(row["reference"]["noise_floor"]["mse"], row["reference"]["mean_image"]["mse"])
            self.assertEqual(row["reference"]["first_frame"]["mse_per_step"][0], 0.0)
            floor, mean = row["reference"]["noise_floor"]["mse"], row["reference"]["mean_image"]["mse"]
            self.assertAlmostEqual(row["skill"], 1 - (row["mse"] - floor) / (mean - floor))

    def test_the_run_is_measured_beyond_its_clips_and_against_the_true_states(self):
        self.assertEqual(self.results["frames_seen"], 9)
        for times in self.results["prediction"].values():
            self.assertEqual({name: time["horizon"] for name, time in times.items()}, {"60": 60, "120": 120})
        self.assertEqual(self.results["prediction_clips"]["simulated_steps"], {"before": 120, "after": 120})
        self.assertBetween(self.results["latent"]["r_squared"], -1.0, 1.0)
        self.assertNotIn("not_measured", self.results)

    def test_reference_rows_against_the_data_themselves(self):
        path = datasets.ensure_built("mass_spring", presets.dataset_config(self.config), self.config.data.data_dir)
        images = data.stack(data.open_dataset(path)[0]["test"], range(10), ("image",))["image"] / 255.0
        reference = self.results["test"]["reference"]
        self.assertAlmostEqual(reference["mean_image"]["mse"], images.var(axis=(0, 1)).mean(), places=6)
        self.assertAlmostEqual(reference["first_frame"]["mse"], np.mean((images - images[:, :1]) ** 2), places=6)

    def test_the_model_is_reversible_and_leapfrog_keeps_the_energy_better_than_euler(self):
        dynamics = self.results["dynamics"]
        self.assertLess(dynamics["reversibility"], 1e-4)
        self.assertLess(dynamics["energy"]["leapfrog"]["drift"], dynamics["energy"]["euler"]["drift"])
        self.assertLess(dynamics["speed"]["dt"], dynamics["speed"]["2dt"])

    def test_a_run_that_was_interrupted_ends_as_one_that_was_not(self):
        class Interrupted(Exception):
            pass

        path = self.root / "interrupted"
        original = Checkpoints.save

        def save(self, step, state, notes):
            original(self, step, state, notes)
            if step == 8:
                raise Interrupted

        with unittest.mock.patch.object(Checkpoints, "save", save), self.assertRaises(Interrupted):
            hgn.run_experiment(self.config, str(path))
        # A row behind the checkpoint, as a run killed between two checkpoints leaves it.
        csv = path / "metrics.csv"
        csv.write_text(csv.read_text() + csv.read_text().splitlines()[-1].replace("8,", "10,", 1) + "\n")
        with unittest.mock.patch.object(hgn_evaluation, "evaluate"):
            hgn.run_experiment(self.config, str(path))
        self.assertEqual(read_metrics(csv), read_metrics(self.run_path / "metrics.csv"))
        chex.assert_trees_all_equal(_last_state(path), _last_state(self.run_path))

    def test_a_finished_run_is_evaluated_again_and_not_trained(self):
        path = self.root / "copy"
        shutil.copytree(self.run_path, path)
        with unittest.mock.patch.object(training, "train") as train:
            results = hgn.run_experiment(self.config, str(path))
        train.assert_not_called()
        for part in ("train", "test", "dynamics"):
            self.assertEqual(results[part], self.results[part])

    def test_another_configuration_in_the_same_directory_is_refused(self):
        other = dataclasses.replace(self.config, dt=0.25)
        with self.assertRaisesRegex(UserError, "config.dt was 0.125, now 0.25"):
            hgn.run_experiment(other, str(self.run_path))

    def test_divergence_names_the_step_and_the_last_good_checkpoint(self):
        optimizer = dataclasses.replace(
            self.config.optimizer, learning_rate=1e38, schedule="constant", warmup_fraction=0.0, gradient_clip=None
        )
        config = dataclasses.replace(self.config, optimizer=optimizer)
        with self.assertRaisesRegex(
            UserError, "not finite at step [12]; no checkpoint was reached; try a lower --config"
        ):
            hgn.run_experiment(config, str(self.root / "diverged"))

    def test_late_divergence_names_the_last_good_checkpoint(self):
        real = loop._fetch_finite

        def fails_late(rows, last_step):
            if last_step >= 6:
                rows = [{**row, "loss": np.float32(np.nan)} for row in rows]
            return real(rows, last_step)

        with unittest.mock.patch.object(loop, "_fetch_finite", fails_late):
            with self.assertRaisesRegex(UserError, "loss not finite at step 5; the last good checkpoint is step 4 in"):
                hgn.run_experiment(self.config, str(self.root / "late"))

    def test_a_multiplier_that_stays_at_its_maximum_is_reported_once(self):
        config = dataclasses.replace(self.config, geco=dataclasses.replace(self.config.geco, maximum=1e5))
        with contextlib.redirect_stderr(io.StringIO()) as stderr:
            results = hgn.run_experiment(config, str(self.root / "saturated"))
        self.assertEqual(stderr.getvalue().count("GECO's multiplier is at its maximum"), 1)
        self.assertEqual(results["run"]["multiplier"]["saturated"], "maximum")
        self.assertIsNone(self.results["run"]["multiplier"]["saturated"])

    def test_a_truncated_data_set_is_refused_before_training(self):
        config = dataclasses.replace(self.config, data=dataclasses.replace(self.config.data, num_test=11))
        path = datasets.ensure_built("mass_spring", presets.dataset_config(config), config.data.data_dir)
        shard = next(path.glob("*train*array_record*"))
        shard.write_bytes(shard.read_bytes()[: shard.stat().st_size // 2])
        workdir = self.root / "truncated"
        with self.assertRaisesRegex(UserError, "to repair"):
            hgn.run_experiment(config, str(workdir))
        self.assertFalse(workdir.exists())


def _last_state(path):
    return hgn_evaluation.load_run(RunDirectory(path)).state


if __name__ == "__main__":
    absltest.main()
