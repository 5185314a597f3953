"""Tests of `hgn_jax.memory`."""

import subprocess
import sys

import pytest

from hgn_jax import memory
from hgn_jax.memory import Need
from tests.root import ROOT


def test_what_fits_is_accepted():
    memory.require([], 10)
    memory.require([Need("a batch", 10, {"batch_size": 3}), Need("a frame", 9.5, {"image_size": 3})], 10)


def test_what_does_not_fit_is_named_with_what_to_lower():
    needs = [Need("a batch", 2e12, {"image_size": 64, "batch_size": 9000}), Need("a frame", 5, {"image_size": 64})]
    message = "^a batch needs about 2 TB: lower batch_size=9000 or image_size=64; there are 16 GB of memory$"
    with pytest.raises(ValueError, match=message):
        memory.require(needs, 16e9)


def test_all_are_named_at_once_but_a_setting_only_once():
    needs = [Need("a", 2e9, {"x": 2}), Need("b", 9e9, {"x": 2, "y": (3, 2), "w": 1}), Need("c", 3e9, {"z": 4})]
    message = r"^b needs about 9 GB: lower y=\(3, 2\) or x=2; c needs about 3 GB: lower z=4; there are"
    with pytest.raises(ValueError, match=message):
        memory.require(needs, 1e9)


@pytest.mark.parametrize(
    ("num_bytes", "text"),
    [(0, "0 MB"), (1.25e6, "1.2 MB"), (25.3e9, "25 GB"), (253e9, "253 GB"), (7.7e14, "770 TB"), (10**19, "1e+04 PB")],
)
def test_sizes_are_written_with_a_unit(num_bytes, text):
    assert memory.format_bytes(num_bytes) == text


def test_numbers_beyond_floats_are_too_large_too():
    with pytest.raises(ValueError, match="needs about more than any number of bytes: lower n=1000"):
        memory.require([Need("all", 10**400, {"n": 10**400})], 1e9)


@pytest.mark.parametrize("kind", ["RLIMIT_AS", "RLIMIT_DATA"])
def test_the_limit_of_the_process_counts(kind):
    limit = 3 << 30
    code = f"import resource; resource.setrlimit(resource.{kind}, ({limit}, {limit}));"
    code += "from hgn_jax import memory; print(memory.machine_memory())"
    printed = subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, capture_output=True, text=True).stdout
    assert int(printed) == limit


@pytest.mark.parametrize(
    ("line", "file"),
    [
        ("0::/user/job_3", "user/job_3/memory.max"),
        ("0::/user/job_3", "user/memory.max"),
        ("0::/", "memory.max"),
        ("4:memory:/job_3", "memory/job_3/memory.limit_in_bytes"),
        ("4:cpu,memory:/job_3", "memory/memory.limit_in_bytes"),
    ],
)
def test_the_limit_of_a_control_group_counts(monkeypatch, tmp_path, line, file):
    (tmp_path / "cgroup").write_text(f"1:name=systemd:/\n{line}\n")
    limit = tmp_path / "fs" / file
    limit.parent.mkdir(parents=True)
    limit.write_text("123456789\n")
    monkeypatch.setattr(memory, "_CGROUPS", tmp_path / "cgroup")
    monkeypatch.setattr(memory, "_CGROUP_ROOT", tmp_path / "fs")
    assert memory.machine_memory() == 123456789
    limit.write_text("max\n")
    assert memory.machine_memory() > 123456789
