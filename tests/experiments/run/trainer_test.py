"""Tests of `experiments.run.trainer` and `experiments.run.program`, with the toy task in place of any other."""

import contextlib
import copy
import dataclasses
import io
import shutil
from unittest import mock

import chex
import jax
import numpy as np
import pytest

from experiments.run import trainer
from experiments.run.command_line import UserError
from experiments.run.program import execute
from experiments.run.provenance import provenance
from experiments.run.results import read_results
from experiments.run.run_directory import RunDirectory, read_config
from experiments.tasks import TASKS
from hgn_jax.training.logs import read_metrics
from tests.experiments import toy
from tests.experiments.toy.task import ToyTask


@pytest.fixture(autouse=True)
def registered(toy_task):
    """Lets every test here use the toy task."""


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A finished run; copy it to change it."""
    directory = RunDirectory(tmp_path_factory.mktemp("finished") / "run")
    with mock.patch.dict(TASKS.modules, {toy.NAME: toy.MODULE}):
        results = execute(TASKS["toy"], _config(), str(directory.path))
    return directory, results


def _config(**changes):
    config = copy.deepcopy(TASKS["toy"].presets["line"])
    for name, value in changes.items():
        group = (
            name
            if hasattr(config, name)
            else next(g for g in ("training", "optimizer") if hasattr(getattr(config, g), name))
        )
        setattr(config if group == name else getattr(config, group), name, value)
    return config


@dataclasses.dataclass
class FaultyTask(ToyTask):
    """The toy task with data that cannot be read, or are not finite, from some step on."""

    error_from: int | None = None
    nan_from: int | None = None

    def batches(self, config, data):
        batches = super().batches(config, data)

        def batch_at(step):
            if self.error_from is not None and step >= self.error_from:
                raise InterruptedError
            batch = batches.batch_at(step)
            if self.nan_from is not None and step >= self.nan_from:
                batch = {**batch, "x": np.full_like(batch["x"], np.nan)}
            return batch

        return batches._replace(batch_at=batch_at)


def test_a_registered_task_is_trained_evaluated_and_reported(finished):
    directory, results = finished
    task = TASKS["toy"]
    assert read_config(directory, task.config_class) == task.resolve(_config())
    assert read_results(directory.metrics, task.results_class(_config())) == results
    assert (results.run.preset, results.run.steps, results.run.seed) == ("line", 12, 0)
    assert results.run.wall_time_s["training"] > 0 and results.run.cpu_time_s["training"] > 0
    command = provenance(directory, results.run).command
    assert command == "python -m experiments.toy --config=line --config.largest_batch=8 --workdir=runs/again"
    assert command in (directory.report / "index.html").read_text()
    assert list(directory.path.glob("events.*"))


def test_rows_of_the_metrics_are_means_over_log_every_steps(finished, tmp_path):
    rows = read_metrics(finished[0].path / "metrics.csv")
    assert [row["step"] for row in rows] == [2, 4, 6, 8, 10, 12]
    execute(TASKS["toy"], _config(log_every=1), str(tmp_path / "run"))
    steps = read_metrics(tmp_path / "run" / "metrics.csv")
    for i, row in enumerate(rows):
        for name in ("loss", "mse", "constraint", "multiplier", "gradient_norm"):
            np.testing.assert_allclose(row[name], (steps[2 * i][name] + steps[2 * i + 1][name]) / 2, rtol=1e-6)


@pytest.mark.parametrize("log_every", [2, 4])  # with 4, step 6 is no row, and its scalars are kept in the checkpoint
def test_an_interrupted_run_ends_bit_identical_to_one_that_was_not(tmp_path, log_every):
    config = _config(log_every=log_every, num_steps=13)
    whole, interrupted = tmp_path / "whole", tmp_path / "interrupted"
    execute(TASKS["toy"], config, str(whole))
    with pytest.raises(InterruptedError):
        execute(FaultyTask(error_from=11), config, str(interrupted))
    csv = interrupted / "metrics.csv"
    # A row beyond the last checkpoint, step 8, as a run that is killed between two checkpoints leaves it.
    csv.write_text(csv.read_text() + csv.read_text().splitlines()[-1].replace("8,", "12,", 1) + "\n")
    execute(TASKS["toy"], config, str(interrupted))
    assert (interrupted / "metrics.csv").read_bytes() == (whole / "metrics.csv").read_bytes()
    chex.assert_trees_all_equal(*(trainer.restore(RunDirectory(path))[1].state for path in (whole, interrupted)))


def test_a_finished_run_is_evaluated_again_and_not_trained(finished, tmp_path):
    shutil.copytree(finished[0].path, tmp_path / "run")
    with mock.patch.object(trainer.training, "train") as train:
        results = execute(TASKS["toy"], _config(), str(tmp_path / "run"))
    train.assert_not_called()
    assert (results.mse, results.coefficients) == (finished[1].mse, finished[1].coefficients)


def test_restoring_gives_the_trained_run_and_compiles_no_initialisation(finished):
    directory, results = finished
    with mock.patch.object(trainer.training, "init_state", side_effect=AssertionError):
        task, run = trainer.restore(directory)
    assert (task, int(run.state.step)) == (TASKS["toy"], 12)
    again = task.evaluate(run).results
    assert dataclasses.replace(again, run=results.run) == results


def test_seconds_of_all_parts_of_a_run_add_up(tmp_path):
    with pytest.raises(InterruptedError):
        execute(FaultyTask(error_from=11), _config(), str(tmp_path))
    seconds = trainer.restore(RunDirectory(tmp_path))[1].seconds
    results = execute(TASKS["toy"], _config(), str(tmp_path))
    assert results.run.wall_time_s["training"] > seconds["training"] > 0
    assert results.run.cpu_time_s["training"] > seconds["training_cpu"] > 0


@pytest.mark.parametrize(
    ("config_json", "message"),
    [
        (None, "config.degree was 1, now 2; config.training.batch_size was 8, now 4.*another --workdir"),
        ('{"program": "nhf"}', "holds a run of experiments.nhf, not of experiments.toy"),
        ('{"program": "moon"}', "is of the unknown program 'moon'; known are hgn, hnn, nhf, toy"),
        ("{", "config.degree was 1, now 2"),  # the checkpoint knows
        ("", "config.degree was 1, now 2"),
        ("[]", "is not a configuration: it holds a list"),
        ('{"program": "toy", "colour": 1}', "is not a configuration of this version: .*colour"),
    ],
)
def test_the_run_of_something_else_in_the_directory_is_refused(finished, tmp_path, config_json, message):
    directory = RunDirectory(shutil.copytree(finished[0].path, tmp_path / "run"))
    if config_json is not None:
        directory.config.write_text(config_json)
    before = {path: path.read_bytes() for path in directory.path.rglob("*") if path.is_file()}
    with pytest.raises(UserError, match=message):
        execute(TASKS["toy"], _config(degree=2, batch_size=4, largest_batch=8), str(directory.path))
    assert {path: path.read_bytes() for path in directory.path.rglob("*") if path.is_file()} == before


@pytest.mark.parametrize("kept", [0, 1, 100, None])
def test_a_damaged_configuration_is_written_again(finished, tmp_path, kept, capsys):
    """As after a power failure, which leaves a part of the file, or zeros."""
    directory = RunDirectory(shutil.copytree(finished[0].path, tmp_path / "run"))
    whole = directory.config.read_bytes()
    directory.config.write_bytes(bytes(len(whole)) if kept is None else whole[:kept])
    with pytest.raises(UserError, match="is damaged .*; the command that began the run writes it again"):
        trainer.restore(directory)
    results = execute(TASKS["toy"], _config(), str(directory.path))
    assert results.coefficients == finished[1].coefficients
    assert directory.config.read_bytes() == whole
    assert f"warning: {directory.config} was damaged and is written again" in capsys.readouterr().err


def test_damaged_metrics_are_dropped_and_the_run_goes_on(tmp_path, capsys):
    config = _config()
    whole, damaged = RunDirectory(tmp_path / "whole"), RunDirectory(tmp_path / "damaged")
    with pytest.raises(InterruptedError):
        execute(FaultyTask(error_from=11), config, str(whole.path))
    shutil.copytree(whole.path, damaged.path)
    csv = damaged.path / "metrics.csv"
    lines = csv.read_bytes().splitlines(keepends=True)
    csv.write_bytes(b"".join(lines[:4]) + lines[4][:10] + bytes(100))  # the row of step 8
    results = [execute(TASKS["toy"], config, str(directory.path)) for directory in (whole, damaged)]
    assert results[0].coefficients == results[1].coefficients
    rows = [read_metrics(directory.path / "metrics.csv") for directory in (whole, damaged)]
    assert rows[1] == [row for row in rows[0] if row["step"] != 8]
    assert "is damaged from line 5 on; the rows after step 6 are dropped" in capsys.readouterr().err


def test_results_can_be_put_elsewhere(finished, tmp_path):
    directory = dataclasses.replace(finished[0], output=tmp_path / "new" / "mine")
    before = {path: path.read_bytes() for path in directory.path.rglob("*") if path.is_file()}
    task, run = trainer.restore(directory)
    results = trainer.evaluate(task, run)
    assert read_results(tmp_path / "new" / "mine" / "metrics.json", task.results_class(_config())) == results
    assert (tmp_path / "new" / "mine" / "report" / "index.html").exists()
    assert {path: path.read_bytes() for path in directory.path.rglob("*") if path.is_file()} == before


def test_a_run_starts_with_the_parameters_of_another(finished, tmp_path):
    changes = {"init_from": str(finished[0].path), "learning_rate": 1e-9}
    results = execute(TASKS["toy"], _config(**changes), str(tmp_path / "run"))
    np.testing.assert_allclose(results.coefficients, finished[1].coefficients, rtol=1e-6)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"init_from": "nowhere"}, "no run in --workdir=.*nowhere"),
        ({"degree": 2}, "--config.training.init_from=.*: checkpoint 12 .* is of another model: its array params/coeff"),
    ],
)
def test_nothing_is_written_if_there_are_no_parameters_to_start_with(finished, tmp_path, changes, message):
    with pytest.raises(UserError, match=message):
        execute(TASKS["toy"], _config(**{"init_from": str(finished[0].path), **changes}), str(tmp_path / "run"))
    assert not list(tmp_path.iterdir())


def test_early_divergence_names_the_step(tmp_path):
    message = "not finite at step [12]; no checkpoint was reached; try a lower --config.optimizer.learning_rate"
    with pytest.raises(UserError, match=message):
        execute(TASKS["toy"], _config(learning_rate=1e38), str(tmp_path / "run"))


def test_late_divergence_names_the_last_good_checkpoint(tmp_path):
    with pytest.raises(UserError, match="not finite at step 6; the last good checkpoint is step 4 in"):
        execute(FaultyTask(nan_from=5), _config(), str(tmp_path / "run"))


def test_a_full_disk_names_what_can_be_continued(tmp_path):
    message = "checkpoint 4 cannot be written .*No space left.*; the same command goes on from the last one"
    with mock.patch.object(shutil, "disk_usage") as usage, pytest.raises(UserError, match=message):
        usage.return_value.free = 10
        execute(TASKS["toy"], _config(), str(tmp_path / "run"))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"batch_size": 9, "largest_batch": 8}, "training.batch_size is 9, but there are only 8 points"),
        ({"batch_size": 7}, "training.batch_size=7 cannot be divided evenly among 2 devices"),
    ],
)
def test_nothing_is_written_for_a_configuration_that_does_not_fit(tmp_path, changes, message):
    with mock.patch.object(jax, "device_count", return_value=2), pytest.raises(UserError, match=message):
        execute(TASKS["toy"], _config(**changes), str(tmp_path / "run"))
    assert not list(tmp_path.iterdir())


def test_nothing_is_written_for_data_that_cannot_be_opened(tmp_path):
    with mock.patch.object(ToyTask, "open_data", side_effect=ValueError("no points")):
        with pytest.raises(UserError, match="no points"):
            execute(TASKS["toy"], _config(), str(tmp_path / "run"))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("step", ["12", "all"])
def test_damaged_checkpoints_are_passed_over(finished, tmp_path, step):
    directory = RunDirectory(shutil.copytree(finished[0].path, tmp_path / "run"))
    for path in directory.checkpoints.glob("[0-9]*" if step == "all" else step):
        for file in path.rglob("*"):
            if file.is_file() and file.stat().st_size:
                file.write_bytes(b"damaged")
    if step == "all":
        with pytest.raises(UserError, match="no checkpoint is whole.*; to start afresh give another --workdir"):
            execute(TASKS["toy"], _config(), str(directory.path))
        return
    with contextlib.redirect_stderr(io.StringIO()) as stderr:
        results = execute(TASKS["toy"], _config(), str(directory.path))
    assert "warning: checkpoint 12 in" in stderr.getvalue() and "going on from the one before" in stderr.getvalue()
    assert results.coefficients == finished[1].coefficients


@pytest.mark.parametrize("kept", [(), ("config.json",)])
def test_a_directory_without_a_run_or_checkpoint_cannot_be_restored(finished, tmp_path, kept):
    for name in kept:
        shutil.copy(finished[0].path / name, tmp_path)
    with pytest.raises(UserError, match="no checkpoint in" if kept else "no run in"):
        trainer.restore(RunDirectory(tmp_path))
