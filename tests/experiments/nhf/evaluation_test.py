"""Tests of `experiments.nhf.evaluation`, on tiny runs."""

import numpy as np
import pytest

from experiments.run import trainer
from experiments.run.presets import pick
from experiments.tasks import TASKS
from hgn_jax.training.logs import read_metrics
from tests.experiments.tiny_runs import shrink


def test_likelihood_of_a_density(tiny_runs):
    test = tiny_runs("nhf density").results.test
    assert test.num_points == 150
    assert list(test.log_prob) == ["1", "2", "4", "8"]
    bounds = [bound.mean for bound in test.log_prob.values()]
    assert bounds == sorted(bounds)
    assert test.elbo == test.log_prob["1"]
    assert test.kl.mean == pytest.approx(test.exact_log_prob.mean - bounds[-1], abs=1e-5)
    assert test.exact_log_prob.mean == pytest.approx(-2.838, abs=4 * test.exact_log_prob.standard_error)
    assert test.gaussian_kl.mean == pytest.approx(1.45, abs=0.3)
    assert test.gaussian_log_prob is None


def test_the_map_is_inverted_and_keeps_volume(tiny_runs):
    errors = tiny_runs("nhf density").results.map
    for precision, limit in (("float32", 1e-4), ("float64", 1e-11)):
        assert errors[precision].inverse < limit
        assert errors[precision].volume < limit


def test_minima_of_the_potential_are_found_near_modes(tiny_runs):
    assert 0 <= tiny_runs("nhf density").results.minima.fraction_of_modes <= 1
    assert tiny_runs("nhf table").results.minima is None


def test_training_raises_the_bound(tiny_runs):
    rows = read_metrics(tiny_runs("nhf density").directory.path / "metrics.csv")
    assert rows[-1]["bound"] > rows[0]["bound"] + 1.0
    assert {"log_prior", "entropy"} < set(rows[0])


@pytest.mark.parametrize(
    ("name", "dimension"), [("nhf table", 3), pytest.param("nhf column", 1, marks=pytest.mark.slow)]
)
def test_rows_of_a_table(tiny_runs, name, dimension):
    test = tiny_runs(name).results.test
    assert test.num_points == 20
    assert test.gaussian_log_prob.mean == pytest.approx(
        -(1.42 + np.log(5)) * dimension, abs=4 * test.gaussian_log_prob.standard_error
    )
    assert test.kl is None
    assert (tiny_runs(name).directory.report / "samples.png").exists()


def test_geco_warms_up_and_then_leaves_the_bound(tmp_path):
    task = TASKS["nhf"]
    config = shrink(pick(task.presets, "four_modes"), tmp_path)
    config.objective, config.objective_samples, config.tolerance, config.geco_fraction = "geco", 1, -3.0, 0.5
    with trainer.claim(task, config, str(tmp_path / "run")) as (directory, config, data):
        trainer.train(task, directory, config, data)
    rows = read_metrics(directory.path / "metrics.csv")
    assert rows[2]["multiplier"] > 1.0  # the constraint is violated at first
    assert rows[-1]["loss"] == pytest.approx(-rows[-1]["bound"], abs=1e-4)
