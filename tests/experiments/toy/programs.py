"""Starts the toy task's program in processes of its own."""

import os
import pathlib
import subprocess
import sys

from tests.root import ROOT


def start(workdir: pathlib.Path, *arguments: str, num_devices: int = 1) -> subprocess.Popen[str]:
    """Starts the program with the preset `line`; stdout and stderr are pipes."""
    return subprocess.Popen(
        [sys.executable, "-m", "tests.experiments.toy", "--config=line", f"--workdir={workdir}", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env={**os.environ, "XLA_FLAGS": f"--xla_force_host_platform_device_count={num_devices}"},
    )


def finish(process: subprocess.Popen[str], code: int = 0) -> tuple[str, str]:
    """Waits for a process, checks its exit status, and returns what it printed on stdout and stderr."""
    printed, errors = process.communicate()
    assert process.returncode == code, errors
    return printed, errors


def saved_step(workdir: pathlib.Path) -> int:
    """The number of steps done at the newest checkpoint; 0 without one."""
    return max((int(path.name) for path in (workdir / "checkpoints").glob("*") if path.name.isdigit()), default=0)
