"""Runs what people have tried: each script of `tests/cases/` prints OK, or FAULT with the reason and exits with 1."""

import os
import subprocess
import sys

import pytest

from tests.root import ROOT

SCRIPTS = sorted((ROOT / "tests" / "cases").glob("[0-9]*.py"))


@pytest.mark.slow
@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_case(script):
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, script], cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.splitlines()[-1] == "OK", done.stdout
