"""Tests of the films that no renderer of this project made."""

import pathlib
import subprocess
import sys
import tempfile

import numpy as np
from absl.testing import parameterized

from benchmarks import films
from data_builders.video_folder import video_files
from tests.root import ROOT


class FilmsTest(parameterized.TestCase):
    def test_the_integrator_follows_an_oscillation(self):
        path = films.integrate(lambda q: -4.0 * q, np.array([1.0]), np.array([0.0]), dt=0.1, num_frames=60)
        np.testing.assert_allclose(path[:, 0], np.cos(2.0 * 0.1 * np.arange(60)), atol=1e-3)

    @parameterized.parameters(("rod", 90, 128), ("discs", 90, 64), ("long_film", 300, 64))
    def test_films_can_be_read_and_move_smoothly(self, name, num_frames, size):
        directory = pathlib.Path(self.enter_context(tempfile.TemporaryDirectory()), name)
        self.assertEqual(films.write(directory, films.FILMS[name](num_films=1)), 1)
        (clip,), _ = video_files.read_clips(directory / "film_00.npy")
        frames = np.stack(list(clip.frames)).astype(np.float32) / 255.0
        self.assertEqual(frames.shape, (num_frames, size, size, 3))
        change = np.mean((frames[1:] - frames[:-1]) ** 2)
        self.assertGreater(change, 0.0)
        self.assertLess(change, frames.var(axis=0).mean())  # half of the change from one random frame to another

    def test_the_rod_leaves_wide_margins(self):
        film = next(films.rod())
        outside = np.ones((128, 128), bool)
        outside[30:98, 30:98] = False
        self.assertTrue((film[:, outside] == 255).all())

    def test_all_films_of_discs_have_one_background(self):
        one, other = (np.median(film, axis=0) for film in films.discs(num_films=2))
        self.assertGreater(np.mean(one == other), 0.9)
        self.assertGreater(one.std(), 10.0)  # textured

    def test_an_unknown_name_is_one_line(self):
        command = [sys.executable, "-m", "benchmarks.films", "--directory=nowhere", "--only=moon"]
        result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
        self.assertEqual(result.returncode, 2)
        self.assertIn("no films 'moon'; choose from pendulum, cartpole", result.stderr)
