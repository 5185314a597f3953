"""Tests of `data_builders.interruption`; `tests/experiments/interruption_test.py` interrupts programs."""

import signal
import subprocess
import sys

from absl.testing import absltest

from tests.root import ROOT

# As a program that `python -m` runs: Ctrl-C comes while an extension module initialises itself, or afterwards.
_PROGRAM = """
import _imp, os, signal, sys, time
sys.argv = ["-m"]
import data_builders
initialise, during = _imp.exec_dynamic, {during}

def interrupted(module):
    try:
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(10)
    except KeyboardInterrupt:
        os.abort()  # as C++ does with an exception that it does not expect

if during:
    _imp.exec_dynamic = interrupted
import numpy
try:
    os.kill(os.getpid(), signal.SIGINT)
    time.sleep(10)
finally:
    print("unwound")
"""


def _end(during):
    command = [sys.executable, "-c", _PROGRAM.format(during=during)]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)
    return ended.returncode, ended.stdout, ended.stderr.splitlines()


class InterruptionTest(absltest.TestCase):
    def test_an_extension_that_initialises_itself_sees_no_exception(self):
        code, out, errors = _end(during=True)
        self.assertEqual((code, out), (128 + signal.SIGINT, ""), errors)
        self.assertRegex(errors[-1], "^interrupted; ")

    def test_elsewhere_blocks_are_left_in_order(self):
        code, out, errors = _end(during=False)
        self.assertEqual((code, out), (128 + signal.SIGINT, "unwound\n"), errors)
        self.assertRegex(errors[-1], "^interrupted; ")


if __name__ == "__main__":
    absltest.main()
