"""Tests of `experiments.figures` and `experiments.figures.paper`: all figures of tiny runs, and mistakes."""

import dataclasses
import json
import os
import pathlib
import subprocess
import sys
import tempfile

import imageio.v3 as imageio
import numpy as np
import pytest
from absl.testing import absltest, parameterized

from experiments.figures import files as figure_files
from experiments.hgn import data as hgn_experiment
from experiments.hgn import presets
from experiments.hnn import evaluation as hnn_evaluation
from experiments.hnn import presets as hnn_presets
from experiments.run.run_directory import RunDirectory, write_config
from hgn_jax.training import training_config
from tests.root import ROOT

_NUM_FRAMES = 7


def _tiny(config, data_dir):
    config.image_size, config.encoder_filters, config.decoder_filters = 16, (8, 8), (8, 8)
    config.data = dataclasses.replace(
        config.data, data_dir=str(data_dir), num_train=6, num_test=5, num_steps=_NUM_FRAMES - 1
    )
    config.training = training_config.TrainingConfig(num_steps=1, batch_size=4, checkpoint_every=1)
    config.evaluation = presets.EvaluationConfig(num_examples=4, batch_size=4)
    return config


def _hgn(system, data_dir):
    config = _tiny(presets.get(f"{system}_small"), data_dir)
    config.state_channels, config.transform_filters, config.hamiltonian_filters = 2, (8,), (8,)
    config.loss_frames, config.initial_horizon, config.unroll = 3, 4, 1
    return config


def _hnn(system, data_dir):
    config = _tiny(hnn_presets.get(f"{system}_small"), data_dir)
    config.hidden_sizes, config.encoder_sizes, config.decoder_sizes = (16,), (16,), (16,)
    return config


def _results():
    def split(level):
        reference = {name: {"mse_per_step": [level] * _NUM_FRAMES} for name in ("mean_image", "noise_floor")}
        return {"num_examples": 4, "mse_per_step": [3 * level] * _NUM_FRAMES, "reference": reference}

    energy = {name: {"mean": 1.0, "variance": 0.1, "drift": 0.2} for name in ("leapfrog", "rk4")}
    return {"train": split(0.01), "test": split(0.02), "dynamics": {"energy": energy}, "frames_seen": 2}


def _write_run(path, config, evaluation):
    """A run with the parameters before the first step: the figures ask for a checkpoint, not for a good one."""
    run = RunDirectory(path)
    path.mkdir(parents=True)
    write_config(run, config)
    experiment = evaluation.load(run, config, hgn_experiment.build_dataset(config))
    notes = {"unlogged": [], "seconds": {"training": 0.0, "training_cpu": 0.0}}
    experiment.checkpoints.save(1, experiment.state._replace(step=np.int32(1)), notes)
    experiment.checkpoints.close()
    run.metrics.write_text(json.dumps(_results()))
    return str(path)


class AllFiguresTest(absltest.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.root = pathlib.Path(cls.enterClassContext(tempfile.TemporaryDirectory()))
        cls.runs = [
            _write_run(cls.root / "hgn", _hgn("mass_spring", cls.root / "data"), hgn_experiment),
            _write_run(cls.root / "hnn", _hnn("mass_spring", cls.root / "data"), hnn_evaluation),
        ]

    def _run(self, directory, system, *arguments):
        """The captions that the program writes, and what it prints, after a look at its files."""
        command = [sys.executable, "-m", "experiments.figures", *arguments]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stderr)
        names = [f"{figure}_{system}" for figure in ("figure_5", "figure_7", "figure_8", "phase_portrait")]
        names += ["figure_6", "figure_10"]
        files = [f"{name}{suffix}" for name in names for suffix in figure_files.SUFFIXES]
        self.assertCountEqual([path.name for path in directory.iterdir()], ["captions.md", *files])
        captions = (directory / "captions.md").read_text()
        for name in names:
            self.assertGreater(np.std(imageio.imread(directory / f"{name}.png")), 1.0, name)
            self.assertStartsWith((directory / f"{name}.pdf").read_bytes(), b"%PDF", name)
            self.assertIn(f"({name}.png)", captions)
            self.assertIn(f"{directory / name}.png", done.stdout)
        return captions, done.stdout

    def test_figures_of_several_models(self):
        directory = self.root / "new" / "directory"
        captions, printed = self._run(directory, "mass_spring", *self.runs, f"--output={directory}")
        self.assertIn("From `{}`, `{}`".format(*self.runs), captions)
        self.assertIn("HNN: rollouts from the first two frames", captions)
        self.assertIn("drawn with noise of 0.1 on its positions", captions)
        self.assertIn("Rank correlation", captions)
        self.assertIn("true Hamiltonian over the phase plane", captions)
        self.assertNotIn("trained without a prior", captions)
        self.assertNotIn("left out", printed)

    @pytest.mark.slow
    def test_of_one_run_of_videos_without_true_energies(self):
        source = self.root / "videos"
        source.mkdir()
        for number in range(10):
            frames = np.random.default_rng(number).integers(0, 256, (_NUM_FRAMES, 16, 16, 3), dtype=np.uint8)
            np.save(source / f"{number}.npy", frames)
        config = _hgn("mass_spring", self.root / "data")
        config.variational = False
        config.data = dataclasses.replace(
            config.data, name="video_folder", config="default", source=str(source), num_train=None, num_test=None
        )
        path = _write_run(self.root / "video", config, hgn_experiment)
        captions, _ = self._run(self.root / "video" / "figures", "video_folder", f"--workdir={path}")
        self.assertIn("The true energy is not known", captions)
        self.assertIn("the mean image", captions)
        self.assertIn("trained without a prior", captions)
        self.assertEqual(captions.count(f"From `{path}`"), 5)  # all but Fig. 10


class MistakesTest(parameterized.TestCase):
    @parameterized.parameters(
        ("", "give the directories of finished runs, or --workdir of one, and not both"),
        ("somewhere --workdir=elsewhere", "and not both"),
        ("somewhere", "give --output, the directory for the figures of several runs"),
        ("--workdir=nowhere", "no run in --workdir=nowhere"),
        ("nowhere --output=figures", "no run in --workdir=nowhere"),
    )
    def test_a_mistake_is_one_line_and_comes_early(self, arguments, message):
        home = self.create_tempdir().full_path
        done = subprocess.run(
            [sys.executable, "-X", "importtime", "-m", "experiments.figures", *arguments.split()], cwd=home,
            capture_output=True, text=True, env={**os.environ, "PYTHONPATH": str(ROOT)},
        )  # fmt: skip
        lines = done.stderr.splitlines()
        printed = [line for line in lines if not line.startswith("import time:")]
        self.assertEqual(done.returncode, 2)
        self.assertLen(printed, 1)
        self.assertStartsWith(printed[0], "error: ")
        self.assertIn(message, printed[0])
        imported = {line.rpartition("|")[2].strip().partition(".")[0] for line in lines if line not in printed}
        self.assertEmpty(imported & {"jax", "matplotlib", "scipy", "tensorflow_datasets"})
        self.assertEmpty(os.listdir(home))


if __name__ == "__main__":
    absltest.main()
