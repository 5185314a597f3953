"""Finished runs as pairs of files, and back."""

import json
import os
import subprocess
import sys

import chex
import jax
import pytest

from hgn_jax import load_pretrained, load_run
from hgn_jax.pretrained import files
from tests.root import ROOT


def _run(directory, program, *arguments):
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", f"experiments.{program}", *arguments]
    return subprocess.run(command, cwd=directory, env=environment, capture_output=True, text=True)


@pytest.mark.parametrize("name", ["hgn", "hgn anchored", "hnn pixel", "nhf density", "nhf table"])
@pytest.mark.slow
def test_a_run_survives_the_way_through_its_files(tiny_runs, tmp_path, name):
    run = tiny_runs(name).directory
    result = _run(tmp_path, "export", f"--workdir={run.path}", "--name=mine", "--commit=abc")
    assert result.returncode == 0, result.stderr
    expected, loaded = load_run(run.path), load_pretrained(tmp_path / "mine.safetensors")
    assert loaded.config == expected.config
    chex.assert_trees_all_equal(loaded.params, expected.params)
    assert jax.tree.structure(loaded.params) == jax.tree.structure(expected.params)
    assert (loaded.state_density is None) == (expected.state_density is None)
    if expected.state_density is not None:
        chex.assert_trees_all_equal(loaded.state_density._asdict(), expected.state_density._asdict())
    model = files.read_description(tmp_path / "mine.safetensors")
    results = json.loads(run.metrics.read_text())
    assert model.facts["commit"] == "abc" and model.facts["seed"] == results["run"]["seed"]
    first = "kl" if name == "nhf density" else "log_prob" if name == "nhf table" else "mse"
    assert any(key.startswith(f"test.{first}") for key in model.measures)


@pytest.mark.parametrize("name", ["hgn", "nhf table"])
@pytest.mark.slow
def test_samples_of_the_files_are_those_of_the_run(tiny_runs, tmp_path, name):
    run = tiny_runs(name).directory
    assert _run(tmp_path, "export", f"--workdir={run.path}", "--name=mine").returncode == 0
    options = ("--num_samples=2", *(("--num_steps=3",) if name == "hgn" else ()))
    place = () if name != "hgn" else (f"--data_dir={json.loads(run.config.read_text())['data']['data_dir']}",)
    ours = _run(tmp_path, "sample", "--pretrained=mine.safetensors", *place, *options)
    theirs = _run(tmp_path, "sample", f"--workdir={run.path}", f"--output={tmp_path / 'theirs'}", *options)
    assert ours.returncode == theirs.returncode == 0, ours.stderr + theirs.stderr
    shown = "new.gif" if name == "hgn" else "samples.csv"
    assert (tmp_path / "samples_mine" / shown).read_bytes() == (tmp_path / "theirs" / shown).read_bytes()
