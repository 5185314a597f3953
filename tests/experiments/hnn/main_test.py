"""Tests of `experiments.hnn`, `hnn_data`, `hnn_evaluation` and `hnn_report`: whole runs at a tiny size."""

import dataclasses
import json
import pathlib
import shutil
import tempfile
import unittest.mock

import chex
import imageio.v3 as imageio
import jax
import numpy as np
import pytest
from absl.testing import absltest

from data_builders import datasets
from experiments.hgn import presets
from experiments.hnn import __main__ as hnn
from experiments.hnn import data as hnn_data
from experiments.hnn import evaluation as hnn_evaluation
from experiments.hnn import presets as hnn_presets
from experiments.run.command_line import UserError
from experiments.run.run_directory import RunDirectory, read_config, read_program
from hgn_jax.data import datasets as data
from hgn_jax.physics.phase_space import PhaseState
from hgn_jax.training import training_config
from hgn_jax.training.checkpoints import Checkpoints
from hgn_jax.training.logs import read_metrics
from tests.experiments.reporting import chromium


def _config(preset, data_dir, num_steps=8):
    config = hnn_presets.get(preset)
    config.image_size, config.hidden_sizes, config.encoder_sizes, config.decoder_sizes = 16, (16,), (16,), (16,)
    config.encoder_filters, config.decoder_filters, config.latent_channels = (8, 8), (8, 8), 4
    config.data = dataclasses.replace(config.data, data_dir=str(data_dir), num_train=24, num_test=12, num_steps=8)
    config.training = training_config.TrainingConfig(
        num_steps=num_steps, batch_size=8, log_every=2, checkpoint_every=4, seed=3
    )
    config.evaluation = presets.EvaluationConfig(num_examples=10, batch_size=4)
    return config


def _interrupted(config, path, step):
    """Runs until the checkpoint of a step is written, and then anew to the end, without the evaluation."""
    original = Checkpoints.save

    def save(self, at, state, notes):
        original(self, at, state, notes)
        if at == step:
            raise KeyboardInterrupt

    with unittest.mock.patch.object(Checkpoints, "save", save):
        try:
            hnn.run_experiment(config, str(path))
        except KeyboardInterrupt:
            pass
    with unittest.mock.patch.object(hnn_evaluation, "evaluate"):
        hnn.run_experiment(config, str(path))


class FramesRunTest(chex.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.root = pathlib.Path(cls.enterClassContext(tempfile.TemporaryDirectory()))
        cls.config = _config("mass_spring_small", cls.root / "data")
        cls.run_path = cls.root / "run"
        cls.results = hnn.run_experiment(cls.config, str(cls.run_path))

    def test_its_page_works_in_a_browser(self):
        chromium.assert_works(self, self.run_path / "report" / "index.html")

    def test_leaves_what_a_run_leaves(self):
        run = RunDirectory(self.run_path)
        self.assertEqual(read_program(run), "hnn")
        self.assertEqual(read_config(run, hnn_presets.Config), self.config)
        self.assertEqual(json.loads(run.metrics.read_text()), self.results)
        rows = read_metrics(run.path / "metrics.csv")
        self.assertEqual([row["step"] for row in rows], [2, 4, 6, 8])
        self.assertContainsSubset(("loss", "autoencoding", "canonical", "field", "gradient_norm"), rows[0])
        page = (run.report / "index.html").read_text()
        for name in ("reconstruction_test.png", "reconstruction_train.png", "error_per_step.png", "training.png"):
            self.assertGreater(np.std(imageio.imread(run.report / name)), 0.0, name)
            self.assertIn(name, page)
        self.assertLen(imageio.imread(run.report / "reconstruction_test.gif"), 9)
        self.assertIn("PixelHNN: mass_spring_small", page)

    def test_numbers_of_the_run(self):
        for split in ("train", "test"):
            row = self.results[split]
            self.assertEqual(row["num_examples"], 10)
            self.assertLen(row["mse_per_step"], 9)
            self.assertCountEqual(row["reference"], ["mean_image", "first_frame", "noise_floor"])
            floor, mean = row["reference"]["noise_floor"]["mse"], row["reference"]["mean_image"]["mse"]
            self.assertAlmostEqual(row["skill"], 1 - (row["mse"] - floor) / (mean - floor))
            # Both solvers follow the same slow field of an untrained model.
            np.testing.assert_allclose(row["scipy"]["mse_per_step"], row["mse_per_step"], rtol=1e-2)
        self.assertCountEqual(self.results["dynamics"]["energy"], ["rk4", "scipy"])
        self.assertLess(self.results["dynamics"]["reversibility"], 1e-2)
        for times in self.results["prediction"].values():
            self.assertEqual({name: time["horizon"] for name, time in times.items()}, {"60": 60, "120": 120})
        self.assertEqual(self.results["prediction_clips"]["simulated_steps"], {"before": 113, "after": 113})
        self.assertEqual(self.results["frames_seen"], 2)
        self.assertEqual(self.results["latent"]["num_latents"], 2)
        self.assertEqual(self.results["run"]["steps"], 8)

    def test_the_error_is_that_of_the_rollout_from_two_frames(self):
        run = hnn_evaluation.load_run(RunDirectory(self.run_path))
        images = data.stack(run.data.splits["test"], range(10), ("image",))["image"]
        predicted = run.model.reconstruct(run.state.params, images[:, :2], 8)
        mse = np.mean((np.asarray(predicted) - images / 255.0) ** 2)
        self.assertAlmostEqual(self.results["test"]["mse"], mse, places=6)

    @pytest.mark.slow
    def test_a_run_that_was_interrupted_ends_as_one_that_was_not(self):
        path = self.root / "interrupted"
        _interrupted(self.config, path, step=4)
        self.assertEqual(read_metrics(path / "metrics.csv"), read_metrics(self.run_path / "metrics.csv"))
        states = [hnn_evaluation.load_run(RunDirectory(p)).state for p in (path, self.run_path)]
        chex.assert_trees_all_equal(*states)

    def test_evaluates_again_from_the_checkpoint(self):
        path = self.root / "copy"
        shutil.copytree(self.run_path, path)
        results = hnn_evaluation.evaluate(hnn_evaluation.load_run(RunDirectory(path)))
        for part in ("test", "train", "dynamics", "prediction", "latent"):
            self.assertEqual(results[part], self.results[part])

    def test_batches_are_windows_of_the_clips(self):
        run = hnn_evaluation.load_run(RunDirectory(self.run_path))
        clips = data.stack(run.data.splits["train"], range(24), ("image",))["image"]
        windows = {clip[t : t + 3].tobytes(): t for clip in clips for t in range(7)}
        batch_at = hnn_data.batches(run)
        starts = set()
        for step in range(12):
            images = batch_at(step)["image"]
            self.assertEqual(images.shape, (8, 3, 16, 16, 3))
            starts |= {windows[image.tobytes()] for image in images}
            np.testing.assert_array_equal(images, hnn_data.batches(run)(step)["image"])
        self.assertEqual(starts, set(range(7)))

    def test_another_configuration_in_the_same_directory_is_refused(self):
        with self.assertRaisesRegex(UserError, "config.hnn_weight was 0.1, now 0.2"):
            hnn.run_experiment(dataclasses.replace(self.config, hnn_weight=0.2), str(self.run_path))

    def test_what_cannot_be_ends_before_anything_is_written(self):
        with self.assertRaisesRegex(UserError, "model must be one of"):
            hnn.run_experiment(dataclasses.replace(self.config, model="moon"), str(self.root / "none"))
        self.assertFalse((self.root / "none").exists())

    @pytest.mark.slow
    def test_the_convolutional_model(self):
        config = _config("mass_spring_conv_small", self.root / "data", num_steps=2)
        results = hnn.run_experiment(config, str(self.root / "conv"))
        self.assertEqual(results["model"], "convolutional")
        self.assertGreater(results["test"]["mse"], 0.0)


class StatesRunTest(chex.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.root = pathlib.Path(cls.enterClassContext(tempfile.TemporaryDirectory()))
        cls.config = _config("two_body_state", cls.root / "data", num_steps=200)
        cls.config.optimizer.learning_rate = 1e-2
        cls.run_path = cls.root / "run"
        cls.results = hnn.run_experiment(cls.config, str(cls.run_path))

    def test_its_page_works_in_a_browser(self):
        chromium.assert_works(self, self.run_path / "report" / "index.html")

    def test_leaves_what_a_run_leaves(self):
        run = RunDirectory(self.run_path)
        self.assertEqual(json.loads(run.metrics.read_text()), self.results)
        page = (run.report / "index.html").read_text()
        for name in ("paths.png", "training.png"):
            self.assertGreater(np.std(imageio.imread(run.report / name)), 0.0, name)
            self.assertIn(name, page)
        rows = read_metrics(run.path / "metrics.csv")
        self.assertLess(rows[-1]["field"], 0.5 * rows[0]["field"])

    def test_numbers_of_the_run(self):
        for split in ("train", "test"):
            row = self.results[split]
            self.assertEqual(row["num_examples"], 10)
            self.assertLess(row["field_error_of_true_energy"], 1e-10)  # stored derivatives are those of the true energy
            self.assertBetween(row["field_error"], 1e-6, row["mean_square_of_field"])
        self.assertCountEqual(self.results["paths"], ["rk4", "scipy"])
        for row in self.results["paths"].values():
            self.assertLen(row["mse_per_step"], 9)
            self.assertEqual(row["mse_per_step"][0], 0.0)
        self.assertNotIn("published", self.results)

    def test_noise_is_of_the_states_alone_and_always_the_same(self):
        clips = hnn_evaluation.load_run(RunDirectory(self.run_path)).data
        noisy = dataclasses.replace(self.config, state_noise=0.1)
        clean = hnn_data.load_states(noisy, clips, "train", noise=False)
        found = hnn_data.load_states(noisy, clips, "train")
        chex.assert_trees_all_equal(found, hnn_data.load_states(noisy, clips, "train"))
        chex.assert_trees_all_equal(clean, hnn_data.load_states(self.config, clips, "train"))
        noise = np.stack([found[name] - clean[name] for name in "qp"])
        self.assertAlmostEqual(noise.std(), 0.1, delta=0.005)
        self.assertLess(np.abs(np.corrcoef(noise.reshape(2, -1))[0, 1]), 0.1)
        for name in ("dq_dt", "dp_dt"):
            np.testing.assert_array_equal(found[name], clean[name])
        first = hnn_data.load_states(noisy, clips, "train", 5)
        chex.assert_trees_all_equal(first, jax.tree.map(lambda x: x[:5], found))
        test = hnn_data.load_states(noisy, clips, "test")["q"] - hnn_data.load_states(self.config, clips, "test")["q"]
        self.assertGreater(np.abs(test[:5] - noise[0, :5]).max(), 0.05)

    def test_batches_are_of_states_of_all_trajectories(self):
        run = hnn_evaluation.load_run(RunDirectory(self.run_path))
        batch_at = hnn_data.batches(run)
        found = [batch_at(step) for step in range(3)]  # an epoch: 3 x 8 of 24 trajectories
        self.assertEqual(found[0]["q"].shape, (8, 9, 4))
        every = hnn_data.load_states(self.config, run.data, "train")
        together = np.concatenate([np.concatenate(list(batch.values()), axis=-1).reshape(-1, 16) for batch in found])
        stored = np.concatenate(list(every.values()), axis=-1).reshape(-1, 16)
        np.testing.assert_array_equal(np.unique(together, axis=0), np.unique(stored, axis=0))
        self.assertFalse(np.array_equal(found[0]["q"], batch_at(3)["q"]))

    def test_the_true_energy_gives_the_true_paths(self):
        """The evaluation of a model that has learned everything."""
        run = hnn_evaluation.load_run(RunDirectory(self.run_path))
        true = hnn_evaluation._true_hamiltonian(run.data.metadata)
        states = hnn_data.load_states(self.config, run.data, "test")
        energy = true(PhaseState(states["q"], states["p"]))
        stored = data.stack(run.data.splits["test"], range(12), ("energy",))["energy"]
        np.testing.assert_allclose(energy, stored, rtol=1e-5)
        perfect = run._replace(model=run.model._replace(hamiltonian=lambda params: true))
        start = PhaseState(states["q"][:, 0], states["p"][:, 0])
        path = hnn_evaluation._path_by_scipy(perfect, start, 8)
        np.testing.assert_allclose(np.swapaxes(path.q, 0, 1), states["q"], atol=1e-5)


class PublishedTest(absltest.TestCase):
    def test_a_run_of_the_noisy_protocol_has_the_published_losses_beside_its_own(self):
        root = pathlib.Path(self.create_tempdir().full_path)
        config = hnn_presets.get("mass_spring_state_noisy")
        config.image_size, config.data.data_dir = 8, str(root / "data")
        config.training = dataclasses.replace(config.training, num_steps=4, log_every=2, checkpoint_every=4)
        results = hnn.run_experiment(config, str(root / "run"))
        self.assertEqual(results["published"]["test"], 3.5928e-2)
        # The true energy, at states with noise of 0.1: dq/dt = 2 p is missed by 2 * 0.1, and so is dp/dt.
        self.assertAlmostEqual(results["test"]["field_error_of_true_energy"], 0.04, delta=0.006)
        self.assertTrue(datasets.read_metadata(next(root.glob("data/mass_spring/*/*"))))


if __name__ == "__main__":
    absltest.main()
