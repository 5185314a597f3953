"""Tests of `experiments.run.run_directory`; `trainer_test.py` tests whose runs are refused."""

import json
import subprocess
import sys

import pytest

from experiments.hgn import presets
from experiments.run.command_line import UserError
from experiments.run.presets import pick
from experiments.run.run_directory import (
    RunDirectory,
    flatten,
    lock,
    open_run,
    read_config,
    read_task,
    write_config,
    write_json,
)
from experiments.tasks import TASKS
from tests.root import ROOT


@pytest.mark.parametrize("name", TASKS)
def test_configurations_are_read_as_they_were_written(tmp_path, name):
    task = TASKS[name]
    for preset in task.presets:
        config = pick(task.presets, preset)
        directory = open_run(tmp_path / preset / "run", config)
        assert not directory.path.parent.exists()  # until it is locked
        with lock(directory):
            write_config(directory, config)
        assert read_task(directory) is task
        assert read_config(directory, task.config_class) == config


def test_a_run_without_the_name_of_a_program_is_one_of_hgn(tmp_path):
    (tmp_path / "config.json").write_text("{}")
    assert read_task(RunDirectory(tmp_path)).name == "hgn"


def test_the_same_configuration_with_data_elsewhere_goes_on(tmp_path):
    config = presets.get("pendulum_small")
    write_config(open_run(tmp_path, config), config)
    config.data.data_dir, config.training.checkpoint_every, config.evaluation.batch_size = "/elsewhere", 20, 7
    assert open_run(tmp_path, config).path == tmp_path


def test_another_configuration_is_refused_with_the_differences(tmp_path):
    config = presets.get("pendulum_small")
    write_config(open_run(tmp_path, config), config)
    config.integrator, config.training.batch_size = "euler", 32
    differences = "config.integrator was leapfrog, now euler; config.training.batch_size was 16, now 32"
    with pytest.raises(UserError, match=f"{differences}.*another --workdir"):
        open_run(tmp_path, config)


def test_a_directory_with_other_files_is_refused(tmp_path):
    (tmp_path / "thesis.tex").write_text("")
    with pytest.raises(UserError, match="no config.json"):
        open_run(tmp_path, presets.get("pendulum"))


def test_a_place_that_cannot_be_written_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="cannot write to --workdir=.*file/run: "):
        open_run(tmp_path / "file" / "run", presets.get("pendulum"))


def test_one_process_at_a_time(tmp_path):
    directory = open_run(tmp_path, presets.get("pendulum"))
    program = (
        "import sys, time\n"
        "import filelock\n"
        "with filelock.FileLock(sys.argv[1]):\n"
        "    print('locked', flush=True)\n"
        "    time.sleep(60)\n"
    )
    with lock(directory):
        (name,) = (path.name for path in tmp_path.iterdir())
    other = subprocess.Popen([sys.executable, "-c", program, tmp_path / name], stdout=subprocess.PIPE, cwd=ROOT)
    assert other.stdout.readline() == b"locked\n"
    with pytest.raises(UserError, match="another process is at work in --workdir="), lock(directory):
        pass
    other.kill()
    other.communicate()
    with lock(directory):
        pass
    open_run(tmp_path, presets.get("pendulum"))  # the file of the lock does not make a run of something else


def test_json_is_written_whole_or_not_at_all(tmp_path):
    path = tmp_path / "metrics.json"
    write_json(path, {"mse": 1.0})
    with pytest.raises(TypeError):
        write_json(path, {"mse": object()})
    assert json.loads(path.read_text()) == {"mse": 1.0}


def test_flatten_joins_names_by_dots():
    assert flatten({"a": {"b": 1, "c": {"d": 2}}, "e": 3}) == {"a.b": 1, "a.c.d": 2, "e": 3}
