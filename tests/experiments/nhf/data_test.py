"""Tests of `experiments.nhf.data`."""

import copy
import re

import hypothesis
import numpy as np
import pytest
from hypothesis import strategies as st

from experiments.nhf.data import load_points
from experiments.run import trainer
from experiments.run.command_line import UserError
from experiments.run.presets import pick
from experiments.run.program import execute
from experiments.run.run_directory import RunDirectory, read_config
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


def _write(path, rows, header="time,x,y,copy,kind"):
    lines = [",".join([str(i), *map(repr, row[:2]), repr(row[0]), "abc"]) for i, row in enumerate(rows.tolist())]
    path.write_text("\n".join([header, *lines]), encoding="utf-8")
    return path


def test_what_was_read_is_printed(tmp_path, capsys):
    config = _config("file", tmp_path)
    config.data.path, config.data.leave_out = str(_write(tmp_path / "rows.csv", _ROWS)), "kind"
    points = load_points(config)
    printed = capsys.readouterr().out
    assert "rows.csv: 100 of 100 rows, 3 of 5 columns; ',' between cells, the header in line 1" in printed
    for name, mean, scale in zip(*points.table.columns, strict=True):
        assert re.search(rf"^  {name} +{mean:.6g} +{scale:.6g}$", printed, re.MULTILINE)
    assert "left out: column 'kind': as asked" in printed
    assert "left out: column 'copy': a copy of 'x'" in printed
    assert re.search("warning: column 'time' counts the rows.* --config.data.leave_out=time\n", printed)


def test_options_of_the_reader_are_flags(tmp_path):
    config = _config("file", tmp_path)
    config.data.path = str(tmp_path / "rows.csv")
    (tmp_path / "rows.csv").write_text("\n".join(["2020,2021", *(f"{i},{i * i}" for i in range(3, 99))]))
    with pytest.raises(ValueError, match="--config.data.header=yes or --config.data.header=no"):
        load_points(config)
    config.data.header, config.data.columns = "yes", '"2021", 2020'
    assert load_points(config).table.columns.names == ("2021", "2020")


def test_a_table_that_has_changed_is_noticed_before_anything_is_overwritten(tmp_path):
    task, config = TASKS["nhf"], _config("file", tmp_path)
    config.data.path = str(_write(tmp_path / "rows.csv", _ROWS))
    with trainer.claim(task, config, str(tmp_path / "run")) as (directory, _, data):
        before = {path: path.read_bytes() for path in directory.path.glob("*.json")}
    assert set(before) == {directory.config, directory.table}

    def open_again(**moved):
        """Opens the data as evaluation does."""
        return task.open_data(read_config(RunDirectory(directory.path, moved=moved), task.config_class))

    _write(tmp_path / "rows.csv", _ROWS + 1e-9)
    with pytest.raises(UserError, match="data have changed since the training in --workdir=.*another --workdir"):
        execute(task, config, str(directory.path))
    with pytest.raises(ValueError, match="rows.csv has changed since the training"):
        open_again()
    assert {path: path.read_bytes() for path in directory.path.glob("*.json")} == before
    config.data.path = str(_write(tmp_path / "moved.txt", _ROWS))
    np.testing.assert_array_equal(open_again(source=config.data.path).test, data.test)
    with trainer.claim(task, config, str(directory.path)) as (_, resolved, _):
        assert resolved.data.path == config.data.path


_CELLS = st.sampled_from(["1", "2.5", "x", "", "NA", '"', "1,5", ";", "-inf", "\x00", "é", "0.1,0.2,0.3"])


@hypothesis.settings(max_examples=25, deadline=None, suppress_health_check=list(hypothesis.HealthCheck))
@hypothesis.given(
    content=st.one_of(
        st.binary(max_size=40),
        st.lists(st.lists(_CELLS, max_size=4).map(",".join), max_size=8).map(lambda lines: "\n".join(lines).encode()),
    ),
    name=st.sampled_from(["rows.csv", "rows.tsv", "rows.npy"]),
)
def test_small_broken_tables_are_refused_in_one_line(tmp_path, content, name):
    config = _config("file", tmp_path)
    config.data.path = str(tmp_path / name)
    (tmp_path / name).write_bytes(content)
    with pytest.raises(UserError) as caught:
        execute(TASKS["nhf"], config, str(tmp_path / "run"))
    assert len(str(caught.value).splitlines()) == 1
    assert not (tmp_path / "run").exists()
