"""A run that is killed, terminated or interrupted at any time ends as one that was left alone."""

import copy
import pathlib
import random
import re
import signal
import subprocess
import time
from unittest import mock

import chex
import pytest

from experiments.run import trainer
from experiments.run.program import execute
from experiments.run.results import read_results
from experiments.run.run_directory import RunDirectory
from experiments.tasks import TASKS
from tests.experiments import toy
from tests.experiments.toy import programs

_NUM_STEPS = 1500
# Checkpoints are so frequent that a good part of the kills fall into one.
_TRAINING = {"num_steps": _NUM_STEPS, "log_every": 10, "checkpoint_every": 50}
_ARGUMENTS = [f"--config.training.{name}={value}" for name, value in _TRAINING.items()]

# Line of the progress to wait for, number of kills after it, and the longest time between, in seconds.
_KILLS = (("training:", 15, 0.6), ("evaluating:", 5, 0.3))
_NUM_INTERRUPTS = 9
_LAST_LINES = {  # by exit status
    0: "evaluating",
    -signal.SIGINT: "evaluating",  # after the program, while Python ends
    128 + signal.SIGINT: "interrupted; the same command goes on",
    128 + signal.SIGTERM: r"stopped after step \d+, which is saved; the same command goes on",
}


@pytest.fixture(scope="module")
def whole_run(tmp_path_factory):
    """The directory of a run that was left alone, made without a process of its own."""
    with mock.patch.dict(TASKS.modules, {toy.NAME: toy.MODULE}):
        return _finish(TASKS[toy.NAME], tmp_path_factory.mktemp("whole") / "run")


def _finish(task, path: pathlib.Path) -> pathlib.Path:
    config = copy.deepcopy(task.presets["line"])
    for name, value in _TRAINING.items():
        setattr(config.training, name, value)
    execute(task, config, str(path))
    return path


def _assert_same_end(task, path, other):
    for name in ("config.json", "metrics.csv"):
        assert (path / name).read_bytes() == (other / name).read_bytes()
    chex.assert_trees_all_equal(*(trainer.restore(RunDirectory(each))[1].state for each in (path, other)))
    results = [read_results(each / "metrics.json", task.results_class(None)) for each in (path, other)]
    assert results[0].coefficients == results[1].coefficients
    assert not list(path.rglob("*.damaged"))


def _kill(path, line: str, seconds: float) -> None:
    process = programs.start(path, *_ARGUMENTS)
    while not process.stderr.readline().startswith((line, "evaluating:")):
        assert process.poll() is None
    time.sleep(seconds)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert process.returncode in (-signal.SIGKILL, 0)


def test_a_killed_run_goes_on(toy_task, whole_run, tmp_path):
    killed = tmp_path / "killed"
    process = programs.start(killed, *_ARGUMENTS)
    _wait_for_checkpoint(process, killed)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    assert 0 < programs.saved_step(killed) < _NUM_STEPS
    _assert_same_end(toy_task, _finish(toy_task, killed), whole_run)


def test_a_terminated_run_is_saved_and_goes_on(toy_task, whole_run, tmp_path):
    terminated = tmp_path / "terminated"
    process = programs.start(terminated, *_ARGUMENTS)
    _wait_for_checkpoint(process, terminated)
    process.send_signal(signal.SIGTERM)
    _, errors = programs.finish(process, 128 + signal.SIGTERM)
    step = re.search(
        r"^stopped after step (\d+), which is saved; the same command goes on from there\Z", errors.strip(), re.M
    )
    assert int(step[1]) == programs.saved_step(terminated) < _NUM_STEPS
    _assert_same_end(toy_task, _finish(toy_task, terminated), whole_run)


def _wait_for_checkpoint(process, path):
    while not programs.saved_step(path):
        assert process.poll() is None
        time.sleep(0.01)


@pytest.mark.slow
def test_a_run_that_is_killed_twenty_times_goes_on(toy_task, whole_run, tmp_path):
    killed, moments, steps = tmp_path / "killed", random.Random(0), []
    for line, num_kills, longest_wait in _KILLS:
        for _ in range(num_kills):
            _kill(killed, line, moments.uniform(0.0, longest_wait))
            steps.append(programs.saved_step(killed))
    assert any(0 < step < _NUM_STEPS for step in steps), steps  # kills fell into the training
    _assert_same_end(toy_task, _finish(toy_task, killed), whole_run)


@pytest.mark.slow
def test_ctrl_c_at_any_time_is_no_traceback(toy_task, tmp_path):
    """Except in the first moment, before Python comes to the program."""
    workdir, codes = tmp_path / "run", []
    for i in range(_NUM_INTERRUPTS):
        process = programs.start(workdir, *_ARGUMENTS)
        assert process.stdout.readline() == "started\n"
        try:
            process.wait(0.1 * 1.6**i)  # from the first imports to the evaluation
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGINT)
        _, errors = process.communicate()
        codes.append(process.returncode)
        for word in ("Traceback", "Exception", "Error"):
            assert word not in errors
        assert re.match(_LAST_LINES[process.returncode], errors.splitlines()[-1])
        assert not list(workdir.rglob("*.part*"))
    assert sum(code != 0 for code in codes) > _NUM_INTERRUPTS / 2, codes
    _finish(toy_task, workdir)
