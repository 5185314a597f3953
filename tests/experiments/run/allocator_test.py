"""Tests of `experiments.run.allocator`."""

import platform
import subprocess
import sys

import pytest

_PAGES_OF_TWENTY_ARRAYS = """
import resource
import numpy as np
from experiments.run import allocator

def pages():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(20):
        np.empty(20 * 2**20, np.uint8).fill(1)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

{keep}
print(pages())
"""


def _pages(keep):
    command = [sys.executable, "-c", _PAGES_OF_TWENTY_ARRAYS.format(keep=keep)]
    return int(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="the setting is glibc's")
def test_freed_memory_is_used_again():
    assert _pages("allocator.keep_freed_memory()") < _pages("") / 5
