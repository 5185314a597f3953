"""What the scripts about places share: runs of programs, and one line about each outcome."""

import ctypes
import os
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).parents[2]
# A run of the flow that takes seconds; `toy` is a task of the tests that takes less.
FLOW = ["experiments.nhf", "--config=four_modes", "--config.training.num_steps=2", "--config.training.log_every=1",
        "--config.training.checkpoint_every=2", "--config.evaluation.num_samples=1",
        "--config.evaluation.num_points=50"]  # fmt: skip
TOY = ["tests.experiments.toy", "--config=line"]


def _obey_permissions():
    """Takes from the superuser the right to write wherever it likes (Linux)."""
    cap_dac_override, drop_from_bounding_set = 1, 24
    ctypes.CDLL(None).prctl(drop_from_bounding_set, cap_dac_override, 0, 0, 0)


def program(*arguments, environment=None, **options):
    """Runs `python -m` of the arguments, bound by the permissions of files even where the superuser runs it.

    Returns:
      Its exit status and everything that it printed.
    """
    variables = {**os.environ, "PYTHONPATH": str(ROOT), **(environment or {})}
    variables = {name: value for name, value in variables.items() if value is not None}
    superuser = sys.platform == "linux" and os.getuid() == 0
    done = subprocess.run(
        [sys.executable, "-m", *map(str, arguments)], env=variables, text=True, errors="replace",
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        preexec_fn=_obey_permissions if superuser else None, **options,
    )  # fmt: skip
    return done.returncode, done.stdout


def expect(holds, what, seen=""):
    """Ends the script with FAULT unless something holds."""
    if not holds:
        sys.exit(f"FAULT: {what}: {seen}")
