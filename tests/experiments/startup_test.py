"""Nothing slow is imported before a program's flags are known and checked.

It is asked which modules Python has imported, not how long it took, which depends on the machine.
"""

import os
import subprocess
import sys

from absl.testing import absltest, parameterized

from experiments.hgn import presets
from experiments.nhf import presets as nhf_presets
from hgn_jax.models import densities
from hgn_jax.physics import integration_methods, integrators
from tests.root import ROOT

_SLOW = {
    "jax", "jaxlib", "haiku", "optax", "chex", "orbax", "tensorflow_datasets", "scipy", "matplotlib", "imageio",
    "sklearn", "tensorboardX",
}  # fmt: skip


def _run(*arguments, home):
    """The result of a Python command, and the packages it imported."""
    result = subprocess.run(
        [sys.executable, "-X", "importtime", *arguments], cwd=home, capture_output=True, text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT), "HOME": home, "XDG_CACHE_HOME": home},
    )  # fmt: skip
    lines = result.stderr.splitlines()
    imported = {line.rpartition("|")[2].strip().partition(".")[0] for line in lines if line.startswith("import time:")}
    printed = [line for line in lines if not line.startswith("import time:")]
    return result, printed, imported


class StartupTest(parameterized.TestCase):
    def setUp(self):
        super().setUp()
        self.home = self.create_tempdir().full_path

    @parameterized.parameters(
        "hgn", "hnn", "nhf", "evaluate", "sample", "table1", "figures", "dataset_gallery", "nhf_table"
    )
    def test_help(self, program):
        result, _, imported = _run("-m", f"experiments.{program}", "--help", home=self.home)
        self.assertIn("--helpfull", result.stdout)
        self.assertIn("absl", imported)
        self.assertEmpty(imported & _SLOW)

    @parameterized.parameters(
        ("hgn", "--config=moon", "unknown preset 'moon'"),
        ("hgn", "--config.colour=red", "has no field 'colour'"),
        ("hgn", "--config.dt=fast", "--config.dt=fast"),
        ("hgn", "--config.integrator=foo", "integrator must be one of euler, "),
        ("hgn", "--config.image_size=33", "image size must be 4 times a power of two"),
        ("hgn", "--config.geco.decay=2", "geco.decay must be in [0, 1); got 2.0"),
        ("hgn", "--config.optimizer.schedule=foo", "schedule must be one of"),
        ("hgn", "--config=video", "name the directory of your videos"),
        ("hgn", "--coordinator=here", "give all three or none"),
        ("nhf", "--config=moon", "unknown preset 'moon'"),
        ("nhf", "--config.integrator=euler", "integrator must be one of symplectic_euler, "),
        ("nhf", "--config.data.name=moon", "data.name must be one of"),
        ("nhf", "--config.training.num_steps=0", "num_steps must be 1 or more"),
        ("hnn", "--config.training.num_steps=0", "num_steps must be 1 or more"),
        ("evaluate", "--workdir=/nowhere", "no run in --workdir=/nowhere"),
        ("figures", "--workdir=/nowhere", "no run in --workdir=/nowhere"),
    )
    def test_a_mistake(self, program, argument, message):
        result, printed, imported = _run("-m", f"experiments.{program}", argument, home=self.home)
        self.assertEqual(result.returncode, 2)
        self.assertLen(printed, 1)
        self.assertIn(message, printed[0])
        self.assertEmpty(imported & _SLOW)
        self.assertEmpty(os.listdir(self.home))

    def test_the_library_imports_what_is_asked_for(self):
        _, _, imported = _run("-c", "import hgn_jax", home=self.home)
        self.assertIn("hgn_jax", imported)
        self.assertEmpty(imported & _SLOW)
        code = "import hgn_jax; [getattr(hgn_jax, name) for name in hgn_jax.__all__]; hgn_jax.physics.systems.pendulum"
        result, printed, imported = _run("-c", code, home=self.home)
        self.assertEqual((result.returncode, printed), (0, []))
        self.assertContainsSubset({"jax", "haiku"}, imported)

    def test_names_that_are_known_without_jax_are_those_there_are(self):
        self.assertEqual(nhf_presets.TARGETS, tuple(densities.TARGETS))
        self.assertEqual([method.name for method in integration_methods.METHODS], list(integrators.INTEGRATORS))

    def test_what_is_checked_early_is_refused_late_too(self):
        """A program that does not check early, or a caller of `run_experiment`, sees the same."""
        config = presets.get("mass_spring_small")
        config.evaluation.batch_size = 0
        for check in (presets.validate_fields, presets.validate):
            with self.assertRaisesRegex(ValueError, "evaluation.batch_size must be 1 or more"):
                check(config, 1)


if __name__ == "__main__":
    absltest.main()
