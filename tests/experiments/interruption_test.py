"""A run that is killed twenty times, or terminated, ends as one that was left alone."""

import json
import os
import pathlib
import random
import signal
import subprocess
import sys
import time

import chex
import pytest
from absl.testing import absltest

from experiments.nhf import evaluation as nhf_evaluation
from experiments.run.run_directory import RunDirectory
from tests.root import ROOT

# Line of the progress to wait for, number of kills after it, and the longest time between, seconds. Every fifty steps
# and a fifth of a second, a checkpoint takes as long, so that a good part of the first kills fall into one.
_KILLS = (("training:", 15, 0.6), ("evaluating:", 5, 2.0))
_NUM_INTERRUPTS = 9
_LAST_LINES = {  # by exit status
    0: "evaluating",
    128 + signal.SIGINT: "^interrupted; the same command goes on",
    128 + signal.SIGTERM: r"^stopped after step \d+, which is saved; the same command goes on",
}
_SETTINGS = (
    "--config=four_modes",
    "--config.hidden_sizes=8,",
    "--config.posterior_sizes=8,",
    "--config.training.num_steps=1500",
    "--config.training.batch_size=16",
    "--config.training.log_every=10",
    "--config.training.checkpoint_every=50",
    "--config.evaluation.num_points=100",
    "--config.evaluation.num_samples=4",
)


def _start(workdir):
    return subprocess.Popen(
        [sys.executable, "-m", "experiments.nhf", *_SETTINGS, f"--workdir={workdir}"],
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
        cwd=ROOT, env={
            **os.environ,
            "JAX_ENABLE_COMPILATION_CACHE": "true",  # all runs compile the same
            "JAX_COMPILATION_CACHE_DIR": str(workdir.parent / "compiled"),
            "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
        },
    )  # fmt: skip


def _steps_done(workdir):
    steps = [int(path.name) for path in (workdir / "checkpoints").glob("*") if path.name.isdigit()]
    return max(steps, default=0)


@pytest.mark.slow
class InterruptionTest(absltest.TestCase):
    def setUp(self):
        super().setUp()
        self.directory = pathlib.Path(self.create_tempdir().full_path)

    def _finish(self, workdir):
        process = _start(workdir)
        _, errors = process.communicate()
        self.assertEqual(process.returncode, 0, errors)
        self.assertNotIn("damaged", errors)

    def _assert_same_end(self, workdir, other):
        for name in ("config.json", "metrics.csv"):
            self.assertEqual((workdir / name).read_bytes(), (other / name).read_bytes(), name)
        states = [nhf_evaluation.load_run(RunDirectory(path)).state for path in (workdir, other)]
        chex.assert_trees_all_equal(*states)
        for part in ("test", "map", "minima"):
            numbers = [json.loads((path / "metrics.json").read_text())[part] for path in (workdir, other)]
            self.assertEqual(*numbers)

    def test_killed_and_terminated(self):
        alone, killed, terminated = (self.directory / name for name in ("alone", "killed", "terminated"))
        self._finish(alone)

        moments, reached = random.Random(0), []
        for line, num_kills, longest_wait in _KILLS:
            for _ in range(num_kills):
                process = _start(killed)
                while not process.stderr.readline().startswith((line, "evaluating:")):
                    self.assertIsNone(process.poll())
                time.sleep(moments.uniform(0.0, longest_wait))
                process.send_signal(signal.SIGKILL)
                process.communicate()
                self.assertEqual(process.returncode, -signal.SIGKILL)
                reached.append(_steps_done(killed))
        self.assertTrue(any(0 < steps < 1500 for steps in reached), reached)  # kills fell into the training
        self._finish(killed)
        self._assert_same_end(killed, alone)

        process = _start(terminated)
        while not _steps_done(terminated):
            time.sleep(0.05)
        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate()
        self.assertEqual(process.returncode, 128 + signal.SIGTERM, errors)
        self.assertRegex(errors.splitlines()[-1], r"stopped after step \d+, which is saved; the same command goes on")
        self.assertGreater(_steps_done(terminated), 0)
        self.assertLess(_steps_done(terminated), 1500)
        self._finish(terminated)
        self._assert_same_end(terminated, alone)

    def test_ctrl_c_at_any_time_is_no_traceback(self):
        """But for the first moment, which is Python's own, before it comes to the program."""
        workdir, codes = self.directory / "run", []
        for i in range(_NUM_INTERRUPTS):
            process = _start(workdir)
            try:
                process.wait(1.0 * 1.35**i)  # from the first imports to the evaluation
            except subprocess.TimeoutExpired:
                process.send_signal(signal.SIGINT)
            _, errors = process.communicate()
            codes.append(process.returncode)
            for word in ("Traceback", "Exception", "Error"):
                self.assertNotIn(word, errors)
            self.assertRegex(errors.splitlines()[-1], _LAST_LINES[process.returncode])
            self.assertEmpty(list(workdir.rglob("*.part")))
        self.assertGreater(sum(code != 0 for code in codes), _NUM_INTERRUPTS / 2, codes)
        self._finish(workdir)


if __name__ == "__main__":
    absltest.main()
