"""Tests of sharing tasks among processes."""

import contextlib
import os
import pathlib
import re
import signal
import subprocess
import sys
import tempfile
import time

import pytest
from absl.testing import absltest, parameterized

from data_builders.errors import DatasetError
from data_builders.simulation import workers
from tests.root import ROOT

FULL_CHUNKS = True  # see conftest.py

# A program as a user might write it: without `if __name__ == "__main__"`.
PROGRAM = """
import hashlib, os, sys
from data_builders import datasets
config = datasets.derive_config("pendulum", "small", num_train=1600, num_test=600, num_steps=2)
path = datasets.ensure_built("pendulum", config, sys.argv[1], num_workers=int(sys.argv[2]))
print("\\n".join(f"{file.name} {hashlib.sha256(file.read_bytes()).hexdigest()}" for file in sorted(path.iterdir())))
"""


class OrderedMapTest(parameterized.TestCase):
    @parameterized.parameters(1, 3)
    def test_results_come_in_order(self, num_workers):
        commands = [
            f"sleep {delay}; echo {i}" for i, delay in enumerate((0.3, 0.0, 0.1, 0.0, 0.0, 0.05, 0.0, 0.0, 0.0))
        ]
        results = list(workers.ordered_map(subprocess.getoutput, commands, num_workers))
        self.assertEqual(results, list("012345678"))
        self.assertEqual(list(workers.ordered_map(abs, [], num_workers)), [])

    def test_errors_are_raised_here(self):
        results = workers.ordered_map(int, ["1", "2", "x", "4"], 2)
        self.assertEqual([next(results), next(results)], [1, 2])
        with self.assertRaisesRegex(ValueError, "invalid literal"):
            next(results)

    def test_a_killed_worker_is_one_line(self):
        with self.assertRaisesRegex(DatasetError, "^a worker process was killed, .*DATA_BUILDERS_NUM_WORKERS=1$"):
            list(workers.ordered_map(os._exit, [9, 9, 9], 2))

    def test_few_results_wait_to_be_taken(self):
        """Each task leaves a file; none is done that lies far beyond the result asked for."""
        directory = self.enter_context(tempfile.TemporaryDirectory())
        with contextlib.closing(workers.ordered_map(os.mkdir, [f"{directory}/{i}" for i in range(20)], 2)) as results:
            for _ in range(3):
                next(results)
            time.sleep(0.3)
            self.assertBetween(len(os.listdir(directory)), 3, 3 + 2 * 2)

    def test_number_of_workers(self):
        self.assertGreaterEqual(workers.default_num_workers(), 1)
        with workers.default_number(3):
            self.assertEqual(workers.default_num_workers(), 3)
            with workers.default_number(None):
                self.assertEqual(workers.default_num_workers(), 3)
        with absltest.mock.patch.dict(os.environ, {workers.NUM_WORKERS_VARIABLE: "many"}):
            with self.assertRaisesRegex(DatasetError, "must be 1 or more, got DATA_BUILDERS_NUM_WORKERS=many"):
                workers.default_num_workers()
        with self.assertRaisesRegex(DatasetError, "must be 1 or more, got 0"), workers.default_number(0):
            pass


class BuildTest(absltest.TestCase):
    def setUp(self):
        super().setUp()
        self.data_dir = pathlib.Path(self.enter_context(tempfile.TemporaryDirectory()))
        self.environment = {**os.environ, "PYTHONPATH": str(ROOT)}

    def start(self, *command):
        """Starts a process with a group of its own, whose members can be counted and signalled."""
        return subprocess.Popen(
            [sys.executable, *command], cwd=ROOT, env=self.environment, start_new_session=True,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip

    def start_building(self):
        """Starts a build of minutes; returns the process and its two workers when they exist."""
        flags = ("--config=paper", f"--data_dir={self.data_dir}", "--num_workers=2")
        process = self.start("-m", "data_builders.build", "three_body", *flags)
        self.addCleanup(lambda: process.poll() is None and os.killpg(process.pid, signal.SIGKILL))
        deadline = time.monotonic() + 60
        while len(pids := _workers_of(process.pid)) < 2 or not list(self.data_dir.glob("*/*/incomplete*/train.spool")):
            self.assertLess(time.monotonic(), deadline)
            self.assertIsNone(process.poll())
            time.sleep(0.1)
        return process, pids

    def assert_ended(self, pids):
        deadline = time.monotonic() + 30
        while any(map(_is_running, pids)):
            self.assertLess(time.monotonic(), deadline, "workers outlive the build")
            time.sleep(0.1)

    @pytest.mark.slow
    def test_bytes_do_not_depend_on_the_number_of_workers(self):
        processes = [self.start("-c", PROGRAM, str(self.data_dir / str(n)), str(n)) for n in (1, 3)]
        script = self.data_dir / "script.py"
        script.write_text(PROGRAM)
        processes.append(self.start(str(script), str(self.data_dir / "2"), "2"))
        outputs = [process.communicate() for process in processes]
        listings = [[line for line in out.splitlines() if len(line) > 64 and " " in line][-5:] for out, _ in outputs]
        self.assertEqual([process.returncode for process in processes], [0, 0, 0], outputs)
        self.assertLen(listings[0], 5)
        self.assertEqual(listings[0], listings[1])
        self.assertEqual(listings[0], listings[2])

    @pytest.mark.slow
    def test_ctrl_c_ends_all_and_leaves_nothing(self):
        process, pids = self.start_building()
        self.assertTrue(all(map(_blocks_interrupts, pids)), "a worker would print a traceback")
        os.killpg(process.pid, signal.SIGINT)
        _, errors = process.communicate(timeout=30)
        self.assertEqual(process.returncode, 130, errors)
        self.assertNotIn("Traceback", errors)
        self.assertIn("interrupted; nothing is left of the data set that was being built", errors)
        self.assert_ended(pids)
        self.assertEqual(list((self.data_dir / "three_body" / "paper").iterdir()), [])

    @pytest.mark.slow
    def test_a_killed_worker_ends_the_build_in_one_line(self):
        process, pids = self.start_building()
        os.kill(pids[0], signal.SIGKILL)
        _, errors = process.communicate(timeout=30)
        self.assertEqual(process.returncode, 1, errors)
        self.assertRegex(errors, "\nerror: a worker process was killed, [^\n]*\n$")
        self.assertNotIn("Traceback", errors)
        self.assert_ended(pids)
        self.assertEqual(list((self.data_dir / "three_body" / "paper").iterdir()), [])

    @pytest.mark.slow
    def test_workers_die_with_a_killed_build(self):
        process, pids = self.start_building()
        process.kill()
        process.communicate()
        self.assert_ended(pids)
        self.assertFalse((self.data_dir / "three_body" / "paper" / "1.0.0").exists())


def _workers_of(pid):
    """The worker processes of a process, without the one of `multiprocessing` that tracks resources."""
    lists = pathlib.Path(f"/proc/{pid}/task").glob("*/children")
    pids = [int(child) for children in lists for child in children.read_text().split()]
    commands = {child: pathlib.Path(f"/proc/{child}/cmdline") for child in pids}
    return [child for child, path in commands.items() if path.exists() and b"spawn_main" in path.read_bytes()]


def _blocks_interrupts(pid):
    """Returns whether a process blocks SIGINT."""
    (mask,) = re.findall(r"^SigBlk:\s*(\w+)$", pathlib.Path(f"/proc/{pid}/status").read_text(), re.MULTILINE)
    return bool(int(mask, 16) & 1 << signal.SIGINT - 1)


def _is_running(pid):
    try:
        return ") Z " not in pathlib.Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
