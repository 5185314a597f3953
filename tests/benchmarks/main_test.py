"""Tests of `python -m benchmarks`."""

import subprocess
import sys

import pytest
from absl.testing import absltest

from benchmarks import suite
from tests.root import ROOT


def _run(*arguments):
    command = [sys.executable, "-m", "benchmarks", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True)


class MainTest(absltest.TestCase):
    @pytest.mark.slow
    def test_prints_one_table(self):
        result = _run("--quick", "--only=integrators,accelerator")
        self.assertEqual(result.returncode, 0, result.stderr)
        versions, head, *rows = result.stdout.splitlines()
        self.assertIn("jaxlib ", versions)
        self.assertRegex(head, r"^ *ratio  subject +measured +compared with$")
        self.assertRegex(rows[0], r"^ *(\d\S*|-)  leapfrog \(order 2\)|^ +-  leapfrog")
        self.assertRegex(rows[-1], r"^ *-  training step of mass_spring on an accelerator  -  +there is none here$")

    @pytest.mark.slow
    def test_all_of_them(self):
        result = _run("--quick")
        self.assertEqual(result.returncode, 0, result.stderr)
        for text in (
            "training step",
            "there is none here",
            "idle",
            "simulated",
            "kept in memory",
            "frames read",
            "leapfrog",
            "NHF, sample",
            "on 2 x ",
        ):
            self.assertIn(text, result.stdout)

    def test_an_unknown_name_is_one_line(self):
        result = _run("--only=integrators,moon")
        self.assertEqual(result.returncode, 2)
        self.assertEqual(result.stderr, f"error: --only: no benchmark 'moon'; choose from {', '.join(suite.NAMES)}\n")

    def test_help(self):
        self.assertIn(", ".join(suite.NAMES), " ".join(_run("--help").stdout.split()))
