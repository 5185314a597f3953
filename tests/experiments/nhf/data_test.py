"""Tests of `experiments.nhf.data`."""

import copy

import numpy as np
import pytest

from experiments.nhf.data import load_points
from experiments.run.command_line import UserError
from experiments.run.presets import pick
from experiments.run.program import execute
from experiments.tasks import TASKS
from tests.experiments.tiny_runs import shrink


def _config(preset, root, **changes):
    return shrink(pick(TASKS["nhf"].presets, preset), root, **changes)


def test_points_of_a_density_depend_on_step_and_seed_and_the_test_points_do_not(tmp_path):
    config = _config("four_modes", tmp_path)
    points, again = load_points(config), load_points(config)
    other_seed = copy.deepcopy(config)
    other_seed.training.seed += 1
    other = load_points(other_seed)
    np.testing.assert_array_equal(points.batch_at(5)["x"], again.batch_at(5)["x"])
    np.testing.assert_array_equal(points.test, other.test)
    first = points.batch_at(0)["x"]
    for different in (points.batch_at(1)["x"], other.batch_at(0)["x"], points.test[:32]):
        assert np.abs(different - first).max() > 0.1


def test_batches_of_a_table_hold_training_rows_only(tmp_path):
    points = load_points(_config("file", tmp_path, dimension=2))
    seen = np.concatenate([points.batch_at(step)["x"] for step in range(4)])
    assert len(points.test) == 20
    assert not set(map(tuple, seen)) & set(map(tuple, points.test))


_ROWS = np.random.default_rng(0).normal(size=(100, 3))


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (np.where(np.arange(300).reshape(100, 3) == 11, np.inf, _ROWS), "infinite numbers: 1, in column 'column 3'"),
        (_ROWS * 0, "no column of numbers is left: 'column 1', 'column 2', 'column 3': constant"),
        (_ROWS[:20], "a batch of 32 needs as many examples; the training split has 16"),
        (_ROWS.reshape(10, 10, 3), "must have shape"),
        (None, "there is no such file"),
    ],
)
def test_tables_that_cannot_be_learned_are_refused_before_anything_is_made(tmp_path, rows, message):
    config = _config("file", tmp_path)
    config.data.path = str(tmp_path / "rows.npy")
    if rows is not None:
        np.save(config.data.path, rows)
    with pytest.raises(UserError, match=message):
        execute(TASKS["nhf"], config, str(tmp_path / "run"))
    assert not (tmp_path / "run").exists()
