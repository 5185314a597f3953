"""Tests of `experiments.hgn.data`: runs on other data sets than the simulated ones with clips of equal length."""

import contextlib
import dataclasses
import io
import json
import pathlib
import shutil
import tempfile

import chex
import imageio.v3 as imageio
import numpy as np
import pytest
from absl.testing import absltest

from experiments.hgn import __main__ as hgn
from experiments.hgn import data as hgn_experiment
from experiments.hgn import evaluation as hgn_evaluation
from experiments.hgn import presets, report
from experiments.run.command_line import UserError
from experiments.run.run_directory import RunDirectory


def tiny(preset, data_dir, **data):
    """A preset with the smallest networks, and a training of a few steps."""
    config = presets.get(preset)
    config.image_size, config.encoder_filters, config.decoder_filters = 16, (8, 8), (8, 8)
    config.state_channels, config.transform_filters, config.hamiltonian_filters = 2, (8,), (8,)
    config.loss_frames, config.initial_horizon, config.unroll = 3, 4, 1
    config.data = dataclasses.replace(config.data, data_dir=str(data_dir), num_steps=8, **data)
    config.training = dataclasses.replace(config.training, num_steps=6, batch_size=4, log_every=2, checkpoint_every=4)
    config.evaluation = presets.EvaluationConfig(num_examples=10, batch_size=4)
    return config


def rolling_ball(phase, num_frames=40):
    """A white disc on grey that swings from side to side: `[T, 24, 32, 3]`."""
    y, x = np.mgrid[:24, :32]
    centres = 16 + 10 * np.cos(0.3 * np.arange(num_frames) + phase)
    inside = (y - 12) ** 2 + (x - centres[:, None, None]) ** 2 < 16
    return np.where(inside[..., None], 230, 80).astype(np.uint8).repeat(3, axis=-1)


class VideosTest(chex.TestCase):
    def setUp(self):
        super().setUp()
        self.root = pathlib.Path(self.enter_context(tempfile.TemporaryDirectory()))
        self.source = self.root / "videos"
        self.source.mkdir()
        for number in range(4):
            np.savez(self.source / f"{number}.npz", clips=np.stack([rolling_ball(number), rolling_ball(number + 0.5)]))
        imageio.imwrite(self.source / "ball.gif", rolling_ball(1.5), duration=50, loop=0)
        imageio.imwrite(self.source / "ball.mp4", rolling_ball(2.5), plugin="pyav", codec="libx264", fps=20)
        (self.source / "notes.txt").write_text("of the balls")
        self.config = tiny("video", self.root / "data", source=str(self.source))

    def test_too_few_windows_for_a_batch(self):
        self.config.training.batch_size = 64
        with self.assertRaisesRegex(
            ValueError, "batch_size is 64, but there are only .*; a smaller --config.data.stri"
        ):
            hgn_experiment.build_dataset(self.config)

    @pytest.mark.slow
    def test_a_run_says_what_it_cannot_measure_and_outlives_its_videos(self):
        path = self.root / "run"
        results = hgn.run_experiment(self.config, str(path))
        self.assertEqual(results["run"]["steps"], 6)
        for split in ("train", "test"):
            self.assertCountEqual(results[split]["reference"], ["mean_image", "first_frame"])
            self.assertNotIn("skill", results[split])
        self.assertCountEqual(results["not_measured"], ["noise_floor", "skill", "valid_prediction_time", "SyMetric"])
        self.assertEqual(list(results["videos"]["left_out"]), ["notes.txt"])
        self.assertEqual(json.loads((path / "metrics.json").read_text()), results)
        page = (path / "report" / "index.html").read_text()
        for text in ("noise floor", "skill", "needs the true states", "notes.txt", str(self.source)):
            self.assertIn(text, page)
        with contextlib.redirect_stdout(io.StringIO()) as printed:
            report.print_summary(results)
        self.assertIn("not measured: noise floor, skill, SyMetric: needs the true states", printed.getvalue())

        np.save(self.source / "new.npy", rolling_ball(3.5))
        with self.assertRaisesRegex(UserError, "config.data.fingerprint was [0-9a-f]{16}, now [0-9a-f]{16}"):
            hgn.run_experiment(self.config, str(path))
        shutil.rmtree(self.source)
        again = hgn_evaluation.evaluate(hgn_evaluation.load_run(RunDirectory(path)))
        for part in ("train", "test", "dynamics", "videos"):
            self.assertEqual(again[part], results[part])


class LongTestTrajectoriesTest(chex.TestCase):
    @pytest.mark.slow
    def test_what_lies_beyond_the_clips_for_training_is_predicted(self):
        root = pathlib.Path(self.enter_context(tempfile.TemporaryDirectory()))
        fields = '{"num_test_steps": 20, "canvas_offset": 0.2}'
        config = tiny("mass_spring_small", root / "data", num_train=24, num_test=12, fields=fields)
        results = hgn.run_experiment(config, str(root / "run"))
        self.assertEqual(results["frames_seen"], 9)
        self.assertLen(results["train"]["mse_per_step"], 9)
        self.assertLen(results["test"]["mse_per_step"], 21)
        # The noise floor is that of scenes each with its place on the canvas.
        for split in ("train", "test"):
            reference = results[split]["reference"]
            self.assertLess(reference["noise_floor"]["mse"], 0.5 * reference["mean_image"]["mse"])


if __name__ == "__main__":
    absltest.main()
