"""Tests of Ctrl-C; `tests/experiments/interruption_test.py` interrupts whole programs."""

import signal
import subprocess
import sys

from absl.testing import parameterized

from tests.root import ROOT

_PROGRAM = """
import importlib.machinery, os, signal, sys, time, weakref
from data_builders import interruption
interruption.install("interrupted")

def press_ctrl_c(*_):
    os.kill(os.getpid(), signal.SIGINT)
    time.sleep(10)

class Callback:
    __del__ = press_ctrl_c

class Loader:
    create_module = lambda self, spec: None
    exec_module = press_ctrl_c

try:
    {statement}
finally:
    print("unwound")
"""


class InterruptionTest(parameterized.TestCase):
    @parameterized.parameters(
        ("press_ctrl_c()", "unwound\n"),
        ("importlib._bootstrap._load(importlib.machinery.ModuleSpec('x', Loader()))", ""),
        ("callback = Callback(); del callback; time.sleep(10)", ""),
    )
    def test_ends_the_program_in_one_line(self, statement, printed):
        command = [sys.executable, "-c", _PROGRAM.format(statement=statement)]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)
        self.assertEqual((done.returncode, done.stdout), (128 + signal.SIGINT, printed))
        self.assertEqual(done.stderr, "interrupted\n")

    def test_importing_the_packages_installs_nothing(self):
        code = (
            "import signal, sys, data_builders.datasets, experiments.run.command_line\n"
            "assert signal.getsignal(signal.SIGINT) is signal.default_int_handler\n"
            "assert sys.excepthook is sys.__excepthook__ and sys.unraisablehook is sys.__unraisablehook__"
        )
        subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)
