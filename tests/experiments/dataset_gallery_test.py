"""Tests of `experiments.dataset_gallery`."""

import contextlib
import io
import pathlib
import subprocess
import sys
import tempfile

import imageio.v3 as imageio
import numpy as np
import pytest
from absl.testing import parameterized

from data_builders import datasets
from data_builders.rendering import images as rendering
from experiments import dataset_gallery
from hgn_jax.data import datasets as data
from hgn_jax.physics import systems
from tests.root import ROOT

TINY = {"num_train": 30, "num_test": 10, "num_steps": 6}


class GalleryTest(parameterized.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.root = pathlib.Path(cls.enterClassContext(tempfile.TemporaryDirectory()))

    def show(self, name, config):
        with contextlib.redirect_stdout(io.StringIO()) as printed:
            picture = dataset_gallery.show(name, config, self.root / "data", self.root)
        return imageio.imread(picture), printed.getvalue()

    def test_a_system(self):
        self.check("mass_spring")

    @parameterized.parameters(*systems.SYSTEMS)
    @pytest.mark.slow
    def test_every_system(self, name):
        self.check(name)

    def check(self, name):
        config = datasets.derive_config(name, "small", **TINY)
        picture, printed = self.show(name, config)
        self.assertGreater(np.std(picture), 10.0)
        for colour in config.colours:  # every disc is visible
            self.assertGreater(np.mean(np.abs(picture[..., :3].astype(int) - colour).max(axis=-1) < 12), 1e-3)

        splits, metadata = data.open_dataset(datasets.dataset_path(name, config, self.root / "data"))
        rows = {line[:42].strip(): line[42:].split() for line in printed.splitlines()}
        for column, split in enumerate(("train", "test")):
            every = data.stack(splits[split], range(len(splits[split])), ("image", "q", "p", "energy"))
            images = every["image"] / 255.0
            for row, values in (("pixels in [0, 1]", images), ("q", every["q"]), ("energy", every["energy"])):
                mean, _, std = rows[f"{row}, mean ± std"][3 * column : 3 * column + 3]
                self.assertAlmostEqual(float(mean), values.mean(dtype=np.float64), delta=1e-4)
                self.assertAlmostEqual(float(std), values.std(dtype=np.float64), delta=1e-4)
            floor = np.mean((rendering.expected_images(metadata, every["q"]) - images) ** 2)
            self.assertAlmostEqual(float(rows["noise floor, MSE x 1e4"][column]), 1e4 * floor, delta=0.02)
            mean_error = 1e4 * images.var(axis=(0, 1)).mean()
            self.assertAlmostEqual(float(rows["mean image, MSE x 1e4"][column]), mean_error, delta=0.02)
            self.assertLess(float(rows["largest relative energy error"][column]), 1e-8)

    def test_videos_have_no_states(self):
        source = self.root / "videos"
        source.mkdir()
        for number in range(3):
            np.save(source / f"{number}.npy", np.full((9, 16, 16, 3), (40 * number, 0, 255), np.uint8))
        config = datasets.derive_config("video_folder", "default", source=str(source), num_steps=4, image_size=16)
        picture, printed = self.show("video_folder", config)
        self.assertGreater(np.std(picture), 10.0)
        self.assertRegex(printed, r"noise floor, MSE x 1e4 +unknown +unknown\n")
        self.assertRegex(printed, r"energy, mean ± std +unknown +unknown\n")
        self.assertRegex(printed, r"trajectories +2 +2\n")
        self.assertRegex(printed, r"mean image, MSE x 1e4 +\d+\.\d\d +0\.00\n")

    @parameterized.parameters(
        (("pendulum", "moon"), "error: unknown data set 'moon'; choose one of "),
        (("pendulum", "video_folder"), "error: video_folder needs --source"),
        (("pendulum", "--config.dt=-1"), "error: dt must be positive and finite, got -1.0"),
        (("pendulum", "--config.constants.k=1"), "error: pendulum has no constant k; it has m, g"),
    )
    def test_mistakes_are_one_line(self, arguments, message):
        command = [sys.executable, "-m", "experiments.dataset_gallery", *arguments]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
        self.assertEqual(done.returncode, 2, done.stderr)
        self.assertRegex(done.stderr, rf"\A{message}.*\n\Z")
