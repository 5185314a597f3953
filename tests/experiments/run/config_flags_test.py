"""Tests of `experiments.run.config_flags`, over the fields of all configurations."""

import contextlib
import dataclasses
import io
import sys
import typing
from unittest import mock

import pytest
from absl import flags

from experiments.run import command_line, config_flags
from experiments.tasks import TASKS


def _parse(task, *arguments):
    """The configuration of a command line; the exit status and the text on stderr if it is wrong."""
    values, argv = flags.FlagValues(), ["program", *map(str, arguments)]
    with contextlib.redirect_stderr(io.StringIO()) as stderr, mock.patch.object(sys, "argv", argv):
        try:
            config = config_flags.define_config(task.presets, task.default_preset, values)
            command_line.parse_flags(sys.argv, values)
        except SystemExit as end:
            return end.code, stderr.getvalue()
    return config.value


def _fields(config, prefix=""):
    for field in dataclasses.fields(config):
        value = getattr(config, field.name)
        if dataclasses.is_dataclass(value):
            yield from _fields(value, f"{prefix}{field.name}.")
        else:
            yield prefix + field.name, field.type, value


def _field(config, name):
    return next(value for field, _, value in _fields(config) if field == name)


@pytest.mark.parametrize("name", TASKS)
def test_every_field_that_may_be_none_takes_none(name):
    task = TASKS[name]
    preset = task.presets[task.default_preset]
    optional = [field for field, kind, _ in _fields(preset) if type(None) in typing.get_args(kind)]
    assert optional
    for text in ("None", "none"):
        config = _parse(task, *(f"--config.{field}={text}" for field in optional))
        assert all(_field(config, field) is None for field in optional)
        task.validate(config)


@pytest.mark.parametrize("name", TASKS)
def test_no_stands_for_false_and_nothing_else(name):
    task = TASKS[name]
    for field, kind, value in _fields(task.presets[task.default_preset]):
        outcome = _parse(task, f"--noconfig.{field}")
        if kind is bool:
            assert _field(outcome, field) is False
        else:
            assert outcome[0] == 2 and outcome[1].count("\n") == 1, value
            assert f"--noconfig.{field}: config.{field} is not True or False" in outcome[1]


@pytest.mark.parametrize(
    "argument", ["--noconfig.typo", "--config.typo=1", "--noconfig", "--config.training.typo", "--no"]
)
def test_a_mistake_is_one_line_in_a_file_too(tmp_path, argument):
    (tmp_path / "flags").write_text(f"# a remark\n--config=pendulum\n{argument}\n")
    outcomes = [
        _parse(TASKS["hgn"], *line) for line in (["--config=pendulum", argument], [f"--flagfile={tmp_path}/flags"])
    ]
    assert outcomes[0] == outcomes[1]
    assert outcomes[0][0] == 2 and outcomes[0][1].startswith("error: ") and outcomes[0][1].count("\n") == 1


def test_a_file_of_flags_is_as_if_typed(tmp_path):
    (tmp_path / "flags").write_text("--config=pendulum\n--config.dt=0.5\n--noconfig.variational\n")
    config = _parse(TASKS["hgn"], f"--flagfile={tmp_path}/flags", "--config.training.seed=3")
    assert (config.preset, config.dt, config.variational, config.training.seed) == ("pendulum", 0.5, False, 3)


def test_a_file_of_flags_that_is_missing_is_named(tmp_path):
    code, line = _parse(TASKS["hgn"], f"--flagfile={tmp_path}/nowhere")
    assert (code, line) == (2, f"error: --flagfile: No such file or directory: '{tmp_path}/nowhere'\n")
