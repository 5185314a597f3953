"""A run of two processes: one writes, both stop together, and one process with two devices can go on with it."""

import json
import os
import pathlib
import re
import signal
import socket
import subprocess
import sys
import time

import numpy as np
import pytest
from absl.testing import absltest

from hgn_jax.training.logs import read_metrics
from tests.root import ROOT

_NUM_STEPS = 300
_SETTINGS = (
    "--config=four_modes", "--config.hidden_sizes=8,", "--config.posterior_sizes=8,",
    f"--config.training.num_steps={_NUM_STEPS}", "--config.training.batch_size=16", "--config.training.log_every=50",
    "--config.training.checkpoint_every=50", "--config.evaluation.num_points=100", "--config.evaluation.num_samples=4",
)  # fmt: skip


def _start(workdir, *arguments, num_devices=1):
    return subprocess.Popen(
        [sys.executable, "-m", "experiments.nhf", *_SETTINGS, f"--workdir={workdir}", *arguments],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT,
        env={**os.environ, "XLA_FLAGS": f"--xla_force_host_platform_device_count={num_devices}"},
    )  # fmt: skip


def _start_two(workdir):
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        coordinator = f"127.0.0.1:{server.getsockname()[1]}"
    return [_start(workdir, f"--coordinator={coordinator}", "--num_processes=2", f"--process_id={i}") for i in range(2)]


def _saved_steps(workdir):
    return [int(path.name) for path in (workdir / "checkpoints").glob("*") if path.name.isdigit()]


@pytest.mark.slow
class ProcessesTest(absltest.TestCase):
    def setUp(self):
        super().setUp()
        self.directory = pathlib.Path(self.create_tempdir().full_path)

    def _finish(self, process, code=0):
        printed, errors = process.communicate()
        self.assertEqual(process.returncode, code, errors)
        return printed, errors

    def test_stop_together_and_go_on_elsewhere(self):
        alone, shared = self.directory / "alone", self.directory / "shared"
        self._finish(_start(alone))

        main, other = _start_two(shared)
        while not _saved_steps(shared) and other.poll() is None:
            time.sleep(0.05)
        other.send_signal(signal.SIGTERM)  # it tells the main one
        stopped = [self._finish(process, 128 + signal.SIGTERM)[1].splitlines()[-1] for process in (main, other)]
        self.assertEqual(*stopped)
        step = int(re.search(r"stopped after step (\d+), which is saved", stopped[0])[1])
        self.assertEqual(max(_saved_steps(shared)), step)
        self.assertLess(step, _NUM_STEPS)

        _, errors = self._finish(_start(shared, "--config.training.batch_size=15", num_devices=2), code=2)
        self.assertIn("cannot be divided evenly among 2 devices", errors)
        printed, _ = self._finish(_start(shared, num_devices=2))
        self.assertIn(f"step {step} of {_NUM_STEPS}", printed)
        self._assert_same_training(alone, shared)

    def test_one_writes(self):
        alone, shared = self.directory / "alone", self.directory / "shared"
        self._finish(_start(alone))
        (printed, _), (silent, _) = (self._finish(process) for process in _start_two(shared))
        self.assertIn("numbers in", printed)
        self.assertNotIn("numbers in", silent)
        self._assert_same_training(alone, shared)
        self.assertLen(list(shared.glob("events.*")), 1)
        run = json.loads((shared / "metrics.json").read_text())["run"]
        self.assertEqual(run["device"], "2 x cpu in 2 processes")

    def _assert_same_training(self, alone, shared):
        """Rows agree to what a sum in another order does to float32 in so many steps of Adam."""
        rows, others = (read_metrics(path / "metrics.csv") for path in (alone, shared))
        self.assertEqual([row["step"] for row in rows], list(range(50, _NUM_STEPS + 1, 50)))
        for row, other in zip(rows, others, strict=True):
            np.testing.assert_allclose(list(other.values()), list(row.values()), rtol=2e-2, atol=1e-3)
        np.testing.assert_allclose(others[0]["loss"], rows[0]["loss"], rtol=1e-5)
        numbers = [json.loads((path / "metrics.json").read_text())["test"]["elbo"]["mean"] for path in (alone, shared)]
        self.assertAlmostEqual(*numbers, delta=0.02)


if __name__ == "__main__":
    absltest.main()
