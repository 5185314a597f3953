"""Tests of `experiments.nhf`, `nhf_data`, `nhf_evaluation` and `nhf_report`: whole runs at a tiny size."""

import dataclasses
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest.mock

import chex
import imageio.v3 as imageio
import numpy as np
from absl.testing import absltest, parameterized

from experiments.nhf import __main__ as nhf
from experiments.nhf import evaluation as nhf_evaluation
from experiments.nhf import presets as nhf_presets
from experiments.nhf.data import load_points
from experiments.run.command_line import UserError
from experiments.run.run_directory import RunDirectory, read_config, read_program
from hgn_jax import training
from hgn_jax.training.logs import read_metrics
from tests.experiments.reporting import chromium
from tests.root import ROOT


def _config(name="four_modes", num_steps=60, **changes):
    config = nhf_presets.get(name)
    config = dataclasses.replace(config, hidden_sizes=(16,), posterior_sizes=(16,), num_links=2, **changes)
    config.training = training.TrainingConfig(
        num_steps=num_steps, batch_size=32, log_every=10, checkpoint_every=20, seed=3
    )
    config.evaluation = nhf_presets.EvaluationConfig(num_points=150, num_samples=8)
    return config


class DensityRunTest(chex.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.root = pathlib.Path(cls.enterClassContext(tempfile.TemporaryDirectory()))
        cls.config = _config()
        cls.run_path = cls.root / "run"
        cls.results = nhf.run_experiment(cls.config, str(cls.run_path))

    def test_its_page_works_in_a_browser(self):
        chromium.assert_works(self, self.run_path / "report" / "index.html")

    def test_leaves_what_a_run_leaves(self):
        run = RunDirectory(self.run_path)
        self.assertEqual(read_program(run), "nhf")
        self.assertEqual(read_config(run, nhf_presets.Config), self.config)
        self.assertEqual(json.loads(run.metrics.read_text()), self.results)
        rows = read_metrics(run.path / "metrics.csv")
        self.assertEqual([row["step"] for row in rows], [10, 20, 30, 40, 50, 60])
        self.assertContainsSubset(("loss", "bound", "log_prior", "entropy", "gradient_norm"), rows[0])
        page = (run.report / "index.html").read_text()
        for name in ("figure9.png", "density.png", "samples.png", "bound.png", "training.png", "flow.gif"):
            self.assertGreater(np.std(imageio.imread(run.report / name)), 0.0, name)
            self.assertIn(name, page)
        self.assertGreater(len(imageio.imread(run.report / "flow.gif")), 30)

    def test_numbers_of_the_run(self):
        test = self.results["test"]
        self.assertEqual(test["num_points"], 150)
        self.assertEqual(list(test["log_prob"]), ["1", "2", "4", "8"])
        means = [row["mean"] for row in test["log_prob"].values()]
        self.assertSequenceEqual(means, sorted(means))
        self.assertEqual(test["elbo"], test["log_prob"]["1"])
        self.assertAlmostEqual(test["kl"]["mean"], test["exact_log_prob"]["mean"] - means[-1], places=5)
        self.assertAlmostEqual(
            test["exact_log_prob"]["mean"], -2.838, delta=4 * test["exact_log_prob"]["standard_error"]
        )
        self.assertAlmostEqual(test["gaussian_kl"]["mean"], 1.45, delta=0.3)
        for precision, limit in (("float32", 1e-4), ("float64", 1e-11)):
            self.assertLess(self.results["map"][precision]["inverse"], limit)
            self.assertLess(self.results["map"][precision]["volume"], limit)
        self.assertBetween(self.results["minima"]["fraction_of_modes"], 0.0, 1.0)
        self.assertEqual(self.results["run"]["steps"], 60)
        self.assertGreater(self.results["run"]["cpu_time_s"]["training"], 0.0)

    def test_training_raises_the_bound(self):
        rows = read_metrics(self.run_path / "metrics.csv")
        self.assertGreater(rows[-1]["bound"], rows[0]["bound"] + 1.0)

    def test_a_run_that_was_interrupted_ends_as_one_that_was_not(self):
        path = self.root / "interrupted"
        original = nhf_evaluation.experiment.Checkpoints.save

        def save(self, step, state, notes):
            original(self, step, state, notes)
            if step == 40:
                raise KeyboardInterrupt

        with unittest.mock.patch.object(nhf_evaluation.experiment.Checkpoints, "save", save):
            with self.assertRaises(KeyboardInterrupt):
                nhf.run_experiment(self.config, str(path))
        with unittest.mock.patch.object(nhf_evaluation, "evaluate"):
            nhf.run_experiment(self.config, str(path))
        self.assertEqual(read_metrics(path / "metrics.csv"), read_metrics(self.run_path / "metrics.csv"))
        states = [nhf_evaluation.load_run(RunDirectory(p)).state for p in (path, self.run_path)]
        chex.assert_trees_all_equal(*states)

    def test_evaluates_again_from_the_checkpoint(self):
        path = self.root / "copy"
        shutil.copytree(self.run_path, path)
        results = nhf_evaluation.evaluate(nhf_evaluation.load_run(RunDirectory(path)))
        for part in ("test", "map", "minima"):
            self.assertEqual(results[part], self.results[part])

    def test_another_configuration_in_the_same_directory_is_refused(self):
        with self.assertRaisesRegex(UserError, "config.dt was 0.5, now 0.25"):
            nhf.run_experiment(dataclasses.replace(self.config, dt=0.25), str(self.run_path))

    def test_a_run_of_the_other_program_is_refused(self):
        path = self.root / "other"
        path.mkdir()
        (path / "config.json").write_text('{"program": "hgn"}')
        with self.assertRaisesRegex(UserError, "holds a run of experiments.hgn, not of experiments.nhf"):
            nhf.run_experiment(self.config, str(path))


class GECORunTest(absltest.TestCase):
    def test_warms_up_with_a_multiplier(self):
        config = _config(objective="geco", objective_samples=1, tolerance=-3.0, geco_fraction=0.5)
        path = self.create_tempdir().full_path
        with unittest.mock.patch.object(nhf_evaluation, "evaluate"):
            nhf.run_experiment(config, path)
        rows = read_metrics(pathlib.Path(path) / "metrics.csv")
        self.assertGreater(rows[2]["multiplier"], 1.0)  # the constraint is violated at first
        self.assertAlmostEqual(rows[-1]["loss"], -rows[-1]["bound"], places=4)


class TableRunTest(parameterized.TestCase):
    def setUp(self):
        super().setUp()
        self.directory = pathlib.Path(self.create_tempdir().full_path)

    def _run(self, rows, **changes):
        np.save(self.directory / "rows.npy", rows)
        config = _config("file", num_steps=20, **changes)
        config.data.path = str(self.directory / "rows.npy")
        return nhf.run_experiment(config, str(self.directory / "run"))

    @parameterized.parameters(1, 3)
    def test_rows_of_a_file(self, dim):
        results = self._run(np.random.default_rng(0).normal(size=(100, dim)) * 5 + 2)
        self.assertEqual(results["test"]["num_points"], 20)
        gaussian = results["test"]["gaussian_log_prob"]
        self.assertAlmostEqual(gaussian["mean"], -1.42 * dim, delta=4 * gaussian["standard_error"])
        self.assertNotIn("kl", results["test"])
        self.assertTrue((self.directory / "run" / "report" / "samples.png").exists())

    @parameterized.parameters(
        ("nan", "has NaN or infinite numbers in 1 rows, the first at row index 3"),
        ("constant", "column index 1 is constant"),
        ("few", "a batch of 32 needs as many examples; the training split has 16"),
        ("cube", "must have shape"),
    )
    def test_rows_that_cannot_be_learned_are_refused_before_anything_is_made(self, kind, message):
        rows = np.random.default_rng(0).normal(size=(100, 3))
        if kind == "nan":
            rows[3, 2] = np.nan
        elif kind == "constant":
            rows[:, 1] = 7.0
        elif kind == "few":
            rows = rows[:20]
        else:
            rows = rows.reshape(10, 10, 3)
        with self.assertRaisesRegex(UserError, message):
            self._run(rows)
        self.assertFalse((self.directory / "run").exists())

    def test_a_file_that_is_not_there(self):
        config = _config("file")
        config.data.path = str(self.directory / "none.csv")
        with self.assertRaisesRegex(UserError, "there is no such file"):
            nhf.run_experiment(config, str(self.directory / "run"))

    def test_batches_are_of_training_rows_only(self):
        rows = np.random.default_rng(0).normal(size=(100, 2))
        np.save(self.directory / "rows.npy", rows)
        config = _config("file")
        config.data.path = str(self.directory / "rows.npy")
        points = load_points(config)
        seen = np.concatenate([points.batch_at(step)["x"] for step in range(4)])
        self.assertLen(points.test, 20)
        self.assertEmpty(set(map(tuple, seen)) & set(map(tuple, points.test)))


class DrawnPointsTest(absltest.TestCase):
    def test_steps_and_seeds_differ_and_the_test_points_stay(self):
        config = _config()
        points = load_points(config)
        config.training.seed = 4
        other = load_points(config)
        np.testing.assert_array_equal(points.batch_at(5)["x"], load_points(_config()).batch_at(5)["x"])
        np.testing.assert_array_equal(points.test, other.test)
        first = points.batch_at(0)["x"]
        for batch in (points.batch_at(1)["x"], other.batch_at(0)["x"], points.test[:32]):
            self.assertGreater(np.abs(batch - first).max(), 0.1)


class CommandTest(parameterized.TestCase):
    @parameterized.parameters(
        (["--config=moon"], "unknown preset 'moon'"),
        (["--config=four_modes", "--config.objective_samples=0"], "objective_samples must be 1 or more; got 0"),
        (["--config=four_modes", "--config.colour=red"], "config has no field 'colour'"),
        (["--config=four_modes", "--config.evaluation.num_samples=3"], "power of two"),
    )
    def test_mistakes_end_in_one_line(self, arguments, message):
        directory = self.create_tempdir().full_path
        result = subprocess.run(
            [sys.executable, "-m", "experiments.nhf", *arguments, f"--workdir={directory}/run"],
            capture_output=True, text=True, cwd=ROOT,
        )  # fmt: skip
        self.assertEqual(result.returncode, 2)
        self.assertRegex(result.stderr.strip().splitlines()[-1], f"^error: .*{message}")
        self.assertNotIn("Traceback", result.stderr)
        self.assertEmpty(os.listdir(directory))


if __name__ == "__main__":
    absltest.main()
