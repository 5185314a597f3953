"""Tests of `experiments.run.run_directory`; `trainer_test.py` tests whose runs are refused."""

import dataclasses
import errno
import json
import os
import subprocess
import sys
from unittest import mock

import numpy as np
import pytest

from data_builders import locks
from experiments.hgn import presets
from experiments.nhf import presets as nhf
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
from hgn_jax.config_checks import absolute_paths
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


def test_a_name_that_the_locale_cannot_spell_is_refused(tmp_path):
    name = os.fsdecode("ö".encode("latin-1"))
    with pytest.raises(UserError, match="this locale cannot spell it; set LC_ALL=C.UTF-8, or give another --workdir"):
        open_run(tmp_path / name, presets.get("pendulum"))


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


def test_a_directory_that_may_not_be_written_can_only_be_read(tmp_path):
    directory = RunDirectory(tmp_path)
    for number in (errno.EACCES, errno.EROFS):
        with mock.patch.object(locks, "held", side_effect=OSError(number, os.strerror(number))):
            with lock(directory, only_reads=True):
                pass
            with pytest.raises(UserError, match=f"cannot write to --workdir={tmp_path}: "), lock(directory):
                pass


def test_what_a_run_leaves_that_ended_before_its_configuration_was_written_is_no_other_file(tmp_path):
    for name in (".lock", ".lock.held", "config.part.json"):
        (tmp_path / name).touch()
    assert open_run(tmp_path, presets.get("pendulum")).path == tmp_path


def test_places_in_the_home_directory(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    directory = RunDirectory("~/run", "~/output")
    assert (directory.path, directory.report) == (tmp_path / "run", tmp_path / "output" / "report")


@pytest.mark.parametrize(
    ("preset", "own", "flag", "field"),
    [
        (presets.get("pendulum"), {}, "data_dir", "data_dir"),
        (presets.get("pendulum"), {"data_dir": "/former"}, "data_dir", "data_dir"),
        (presets.get("video"), {"source": "/former"}, "source", "source"),
        (nhf.get("file"), {"path": "/former.csv"}, "source", "path"),
        (presets.get("pendulum"), {}, "source", None),
        (nhf.get("file"), {"path": "/former.csv"}, "data_dir", None),
    ],
)
def test_data_that_have_moved_are_found_where_they_are_now(tmp_path, preset, own, flag, field):
    config = dataclasses.replace(preset, data=dataclasses.replace(preset.data, **own))
    write_config(RunDirectory(tmp_path), config)
    directory = RunDirectory(tmp_path, moved={flag: "/now"})
    if field is None:
        with pytest.raises(UserError, match=f"--{flag}=/now: the run in .* has no data of that kind"):
            read_config(directory, type(config))
    else:
        moved = dataclasses.replace(config.data, **{field: "/now"})
        assert read_config(directory, type(config)) == dataclasses.replace(config, data=moved)


def test_films_that_have_changed_are_noticed_before_anything_is_overwritten(tmp_path):
    films, run = tmp_path / "films", tmp_path / "run"
    films.mkdir(), run.mkdir()
    np.save(films / "a.npy", np.zeros((40, 8, 8), np.uint8))
    config = presets.get("video")
    config.data.source = str(films)
    began = TASKS["hgn"].resolve(absolute_paths(config))
    write_config(RunDirectory(run), began)
    before = (run / "config.json").read_bytes()
    films.rename(tmp_path / "moved")
    moved = dataclasses.replace(config, data=dataclasses.replace(config.data, source=str(tmp_path / "moved")))
    open_run(run, TASKS["hgn"].resolve(moved))  # the same films elsewhere
    np.save(tmp_path / "moved" / "a.npy", np.ones((40, 8, 8), np.uint8))
    with pytest.raises(UserError, match="the data have changed since the training in --workdir=.*another --workdir"):
        open_run(run, TASKS["hgn"].resolve(moved))
    assert (run / "config.json").read_bytes() == before


def test_a_relative_path_of_an_older_run_is_the_same_place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    config = nhf.get("file")
    config.data.path = "rows.csv"
    (tmp_path / "run").mkdir()
    write_config(RunDirectory(tmp_path / "run"), config)
    open_run(tmp_path / "run", absolute_paths(config))
    assert absolute_paths(config).data.path == str(tmp_path / "rows.csv")


def test_json_is_written_whole_or_not_at_all(tmp_path):
    path = tmp_path / "metrics.json"
    write_json(path, {"mse": 1.0})
    with pytest.raises(TypeError):
        write_json(path, {"mse": object()})
    assert json.loads(path.read_text()) == {"mse": 1.0}


def test_flatten_joins_names_by_dots():
    assert flatten({"a": {"b": 1, "c": {"d": 2}}, "e": 3}) == {"a.b": 1, "a.c.d": 2, "e": 3}
