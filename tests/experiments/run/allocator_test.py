"""Tests of `experiments.run.allocator`."""

import platform
import subprocess
import sys

import pytest

_FRESH_PAGES = """
import resource
import numpy as np
from experiments.run import allocator

def step():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for array in [np.empty(2**20, np.uint8) for _ in range(40)]:
        array.fill(1)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

{setting}
step()
print(sum(step() for _ in range(10)))
"""


def _fresh_pages(setting=""):
    """The number of pages that the system hands out for ten steps like one before."""
    command = [sys.executable, "-c", _FRESH_PAGES.format(setting=setting)]
    return int(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="the setting is glibc's")
def test_freed_memory_is_used_again():
    assert _fresh_pages("allocator.keep_freed_memory()") < _fresh_pages() / 10
