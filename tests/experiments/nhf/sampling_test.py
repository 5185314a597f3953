"""Tests of `experiments.nhf.sampling` and of the program that calls it, on tiny runs."""

import csv
import os
import subprocess
import sys

import jax
import numpy as np
import pytest

from experiments.nhf import sampling, units
from experiments.run.run_directory import RunDirectory
from hgn_jax.data import tables
from hgn_jax.models.densities import TARGETS, get_target
from tests.root import ROOT


def _read(path):
    with path.open(newline="", encoding="utf-8") as file:
        names, *rows = csv.reader(file)
    return names, rows


def _run_program(*arguments):
    return subprocess.run(
        [sys.executable, "-m", "experiments.sample", *map(str, arguments)], capture_output=True, text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip


def test_samples_are_in_the_names_and_units_of_the_table(tiny_runs, tmp_path):
    directory = tiny_runs("nhf table").directory
    flow = sampling.read_flow(directory)
    for num_samples in (5, 1200):
        sampling.write_samples(flow, num_samples, 0, tmp_path / f"{num_samples}.csv")
    names, rows = _read(tmp_path / "1200.csv")
    assert names == ["column 1", "column 2", "column 3"]
    assert _read(tmp_path / "5.csv")[1] == rows[:5]
    values = np.array(rows, float)
    table = np.load(tiny_runs("nhf table").config.data.path)
    np.testing.assert_allclose(np.median(values, axis=0), table.mean(axis=0), atol=table.std())
    assert (values.std(axis=0) > 0.3 * table.std(axis=0)).all()
    assert list(tmp_path.glob("*.part*")) == []


def test_scores_are_those_of_the_evaluation(tiny_runs, tmp_path):
    run = tiny_runs("nhf table")
    flow, table = sampling.read_flow(run.directory), run.run.data.table
    rows = table.columns.restore(table.test)
    rows[3, 1] = np.nan
    np.save(tmp_path / "rows.npy", rows)
    read = units.read_rows(run.directory, flow.columns, str(tmp_path / "rows.npy"))
    scores = sampling.write_scores(flow, read, run.directory, tmp_path / "scores.csv")
    names, lines = _read(tmp_path / "scores.csv")
    assert names == ["row", "log_prob", "standard_error"]
    assert [line[0] for line in lines] == [str(i) for i in range(1, len(rows) + 1)]
    assert lines[3][1:] == ["", ""] and len(scores) == len(rows) - 1
    errors = np.array([float(line[2]) for line in lines if line[2]])
    assert ((errors > 0) & (errors < 1)).all()
    largest = run.results.test.tightest
    assert scores.mean() == pytest.approx(largest.mean, abs=3 * largest.standard_error)


@pytest.mark.slow
def test_a_scored_density_integrates_to_one_in_the_units_of_the_table(tiny_runs, tmp_path):
    directory = tiny_runs("nhf column").directory
    flow = sampling.read_flow(directory)
    grid = np.linspace(-60.0, 60.0, 1201)
    np.save(tmp_path / "grid.npy", grid)
    rows = units.read_rows(directory, flow.columns, str(tmp_path / "grid.npy"))
    log_prob = sampling.write_scores(flow, rows, directory, tmp_path / "scores.csv")
    assert np.trapezoid(np.exp(log_prob), grid) == pytest.approx(1.0, abs=0.05)  # the estimates are unbiased


def test_the_table_itself_is_not_needed(tiny_runs, tmp_path):
    run = tiny_runs("nhf table")
    columns = tables.columns_from_json(run.directory.table.read_text())
    np.testing.assert_array_equal(columns.scale, run.run.data.table.columns.scale)
    (tmp_path / "config.json").write_text(run.directory.config.read_text().replace("3_columns.npy", "gone.npy"))
    (tmp_path / "checkpoints").symlink_to(run.directory.checkpoints)
    (tmp_path / "table.json").write_text(run.directory.table.read_text())
    assert sampling.read_flow(RunDirectory(tmp_path)).columns.names == columns.names


@pytest.mark.slow
def test_the_program(tiny_runs, tmp_path):
    run = f"--workdir={tiny_runs('nhf density').directory.path}"
    (tmp_path / "points.csv").write_text("x2,x1\n0.5,1.5\n1e3,-2\n")
    done = _run_program(run, "--num_samples=7", f"--output={tmp_path}", f"--score={tmp_path / 'points.csv'}")
    assert not done.returncode and "7 samples of x1, x2" in done.stdout
    assert _read(tmp_path / "samples.csv")[0] == ["x1", "x2"] and len(_read(tmp_path / "samples.csv")[1]) == 7
    (_, near, error), (_, far, _) = _read(tmp_path / "scores.csv")[1]
    assert float(near) > -20 and float(error) > 0
    assert not far or float(far) < -1000  # or 0 to the precision of numbers
    for wrong, message in {
        "--num_steps=3": "--num_steps cannot be used with a run of nhf",
        "--score=/nowhere.csv": "/nowhere.csv: there is no such file",
    }.items():
        done = _run_program(run, wrong, f"--output={tmp_path}")
        assert done.returncode == 2 and message in done.stderr and len(done.stderr.splitlines()) == 1


def test_known_densities_have_the_coordinates_that_samples_are_named_by():
    for name in TARGETS:
        points = jax.eval_shape(lambda key, name=name: get_target(name).sample(key, 3), jax.random.PRNGKey(0))
        assert points.shape == (3, 2)
