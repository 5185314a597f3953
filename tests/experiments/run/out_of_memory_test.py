"""Where memory runs out nevertheless, a program ends with one line."""

import subprocess
import sys

import pytest

from tests.root import ROOT

_PROGRAM = """
import numpy as np
from experiments.run import command_line

def main(argv):
    {statement}

command_line.run(main)
"""


@pytest.mark.parametrize(
    ("statement", "named"),
    [
        ("np.empty(10**18, np.uint8)", "allocate"),
        ("raise RuntimeError('RESOURCE_EXHAUSTED: Out of memory allocating 9 bytes.\\\\nmore')", "allocating 9 bytes."),
        ("raise MemoryError", "no more can be had"),
    ],
)
def test_one_line(statement, named):
    program = _PROGRAM.format(statement=statement)
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stderr.startswith("error: out of memory: ") and done.stderr.count("\n") == 1
    assert named in done.stderr


def test_other_errors_stay_as_they_are():
    program = _PROGRAM.format(statement="raise RuntimeError('a mistake of ours')")
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True)
    assert "Traceback" in done.stderr and "a mistake of ours" in done.stderr
