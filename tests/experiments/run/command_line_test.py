"""Tests of `experiments.run.command_line` through a program, as a user meets it."""

import os
import subprocess
import sys

from absl.testing import absltest, parameterized

from tests.root import ROOT


class CommandLineTest(parameterized.TestCase):
    @parameterized.parameters(
        ("--config=moon", "unknown preset 'moon'; choose one of mass_spring, "),
        ("--config=pendulum --config.colour=red", "config has no field 'colour'; it has image_size, "),
        ("--config=pendulum --config.training.steps=3", "config.training has no field 'steps'; it has num_steps, "),
        ("--config=pendulum --config.training=3", "is a group of fields; set one of them: num_steps, "),
        ("--config=pendulum --config.dt=fast", "--config.dt=fast"),
        ("--config.dt=0.1 --config=pendulum", "give --config=NAME before the overrides"),
        ("--config=pendulum_small --config.image_size=33", "image size must be 4 times a power of two"),
        ("--config=pendulum_small pendulum", "unexpected argument 'pendulum'"),
    )
    def test_a_mistake_is_one_line_and_nothing_is_made(self, arguments, message):
        home, here = self.create_tempdir("home").full_path, self.create_tempdir("here").full_path
        result = subprocess.run(
            [sys.executable, "-m", "experiments.hgn", *arguments.split()],
            cwd=here, env={**os.environ, "PYTHONPATH": str(ROOT), "HOME": home, "JAX_PLATFORMS": "cpu"},
            capture_output=True, text=True,
        )  # fmt: skip
        self.assertEqual(result.returncode, 2)
        self.assertStartsWith(result.stderr, "error: ")
        self.assertIn(message, result.stderr)
        self.assertLen(result.stderr.splitlines(), 1)
        self.assertEmpty(result.stdout)
        self.assertEmpty(os.listdir(here))
        self.assertNotIn("tensorflow_datasets", os.listdir(home))


if __name__ == "__main__":
    absltest.main()
