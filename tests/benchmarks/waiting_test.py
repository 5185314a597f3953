"""Tests of `benchmarks.waiting`."""

import os
import time

import pytest

from benchmarks import waiting
from experiments.run.command_line import UserError

# The first line may be read late on a busy machine, so the program waits longer than the test asks for.
_PROGRAM = """\
import sys, time
print("compiling the training step"); time.sleep(0.5)
print("training: 0/10 steps"); print("training: 10/10 steps"); time.sleep(1.0)
print("drawing the report"); sys.exit({})
"""


def _measure(tmp_path, status):
    (tmp_path / "program.py").write_text(_PROGRAM.format(status))
    return waiting.measure(["program"], os.environ | {"PYTHONPATH": str(tmp_path)})


def test_wall_time_is_split_at_the_lines_printed(tmp_path):
    start = time.perf_counter()
    waited = _measure(tmp_path, 0)
    assert list(waited.parts) == ["importing, settings", "compiling", "training", "drawing"]
    assert 0.3 <= waited.parts["compiling"] < waited.parts["training"]
    assert waited.total <= time.perf_counter() - start
    assert waiting.describe([waited])[1].startswith("program")


def test_a_program_that_fails_is_named(tmp_path):
    with pytest.raises(UserError, match="^program failed: drawing the report$"):
        _measure(tmp_path, 1)
