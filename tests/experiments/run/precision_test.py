"""Programs choose the precision themselves, whatever JAX_ENABLE_X64 says."""

import os
import subprocess
import sys

import pytest

from tests.root import ROOT

_PROGRAM = """
from experiments.run import command_line

def main(argv):
    import jax
    print(jax.numpy.ones(1).dtype)

command_line.run(main)
"""


@pytest.mark.parametrize("value", ["0", "1", "true"])
def test_single_precision(value):
    env = {**os.environ, "PYTHONPATH": str(ROOT), "JAX_ENABLE_X64": value}
    done = subprocess.run([sys.executable, "-c", _PROGRAM], env=env, check=True, capture_output=True, text=True)
    assert done.stdout == "float32\n"
