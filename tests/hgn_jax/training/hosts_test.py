"""Tests of `hgn_jax.training.hosts`, with two real processes where it takes two."""

import os
import pathlib
import socket
import subprocess
import sys

import jax
import numpy as np
from absl.testing import absltest, parameterized

from hgn_jax.training import hosts
from tests.root import ROOT


def _free_port():
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        return server.getsockname()[1]


def _run_two(task, arguments=lambda process: (), environment=lambda process: {}):
    """Runs a task of `_TASKS` in two processes; returns what each printed."""
    children = [
        subprocess.Popen(
            [sys.executable, __file__, "--child", task, *map(str, arguments(process))], text=True,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, env={
                **os.environ, "PYTHONPATH": str(ROOT), **environment(process)
            },
        ) for process in range(2)
    ]  # fmt: skip
    outputs = [child.communicate() for child in children]
    for child, (_, errors) in zip(children, outputs, strict=True):
        assert child.returncode == 0, errors
    return [[line for line in printed.splitlines() if "Gloo" not in line] for printed, _ in outputs]


def _share():
    """What each function gives in this process."""
    print(hosts.is_main(), hosts.local_slice(8))
    print(hosts.broadcast_from_main({"x": np.arange(2.0) + 10 * jax.process_index()})["x"].tolist())
    shared = pathlib.Path(os.environ["SHARED_FILE"])

    def make_or_find():
        found = shared.exists()
        shared.write_text("made")
        return found

    print("found" if hosts.main_first(make_or_find) else "made")


def _fail_in_one():
    """Process 1 fails in a block that all must pass."""
    try:
        with hosts.fail_together():
            if jax.process_index() == 1:
                raise ValueError("no room")
        print("passed")
    except (ValueError, hosts.OtherProcessError) as error:
        print(f"{type(error).__name__}: {error}")
    with hosts.fail_together():
        print("going on")


_TASKS = {"share": _share, "fail": _fail_in_one}


class AloneTest(parameterized.TestCase):
    @parameterized.parameters(
        (("127.0.0.1:1", 2, None), "belong together"),
        ((None, 2, 0), "belong together"),
        (("127.0.0.1", 2, 0), "coordinator must be HOST:PORT"),
        (("127.0.0.1:http", 2, 0), "coordinator must be HOST:PORT"),
        (("127.0.0.1:1", 2, 2), "process_id must lie between 0"),
        (("127.0.0.1:1", 0, 0), "process_id must lie between 0"),
    )
    def test_refuses(self, arguments, message):
        with self.assertRaisesRegex(ValueError, message):
            hosts.start(*arguments)

    def test_a_process_without_others_does_all_the_work(self):
        hosts.start()
        self.assertTrue(hosts.is_main())
        self.assertEqual(hosts.local_slice(6), slice(0, 6))
        self.assertEqual(hosts.main_first(lambda: 3), 3)
        tree = {"x": np.arange(3)}
        self.assertIs(hosts.broadcast_from_main(tree), tree)
        with self.assertRaisesRegex(KeyError, "missing"), hosts.fail_together():
            raise KeyError("missing")


class TwoProcessesTest(parameterized.TestCase):
    def test_each_has_its_part(self):
        shared = self.create_tempdir().full_path + "/made"
        coordinator = f"127.0.0.1:{_free_port()}"
        main, other = _run_two("share", lambda i: (coordinator, 2, i), lambda _: {"SHARED_FILE": shared})
        self.assertEqual(main, ["True slice(0, 4, None)", "[0.0, 1.0]", "made"])
        self.assertEqual(other, ["False slice(4, 8, None)", "[0.0, 1.0]", "found"])

    def test_all_fail_together_and_under_slurm_need_no_arguments(self):
        def slurm(process):
            return {
                "SLURM_JOB_ID": str(_PORT_OFFSET), "SLURM_STEP_NODELIST": "localhost", "SLURM_NTASKS": "2",
                "SLURM_STEP_NUM_TASKS": "2", "SLURM_PROCID": str(process), "SLURM_LOCALID": str(process),
            }  # fmt: skip

        main, other = _run_two("fail", environment=slurm)
        self.assertEqual(main, ["OtherProcessError: process 1 of 2 failed, and says why itself", "going on"])
        self.assertEqual(other, ["ValueError: no room", "going on"])


_PORT_OFFSET = os.getpid() % 4096  # JAX makes the port of a SLURM job's coordinator from its number

if __name__ == "__main__":
    if "--child" in sys.argv:
        task, *arguments = sys.argv[sys.argv.index("--child") + 1 :]
        hosts.start(*(convert(text) for convert, text in zip((str, int, int), arguments, strict=False)))
        _TASKS[task]()
    else:
        absltest.main()
