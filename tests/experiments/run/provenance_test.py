"""Tests of `experiments.run.provenance`."""

import json
import shlex
import sys
from unittest import mock

import pytest
from absl import flags

from experiments.hgn import presets as hgn
from experiments.hnn import presets as hnn
from experiments.nhf import presets as nhf
from experiments.run import command_line, config_flags
from experiments.run.presets import pick
from experiments.run.provenance import provenance
from experiments.run.results import Multiplier, RunFacts
from experiments.run.run_directory import RunDirectory, flatten, write_config
from experiments.tasks import TASKS

_FACTS = RunFacts(
    preset="a preset", steps=30, seed=4, device="1 x cpu", multiplier=Multiplier(last=12.0, saturated=None),
    versions={"jax": "0.1"}, wall_time_s={"training": 300.0, "evaluation": 10.0}, cpu_time_s={"training": 500.0},
)  # fmt: skip


def _hgn():
    config = hgn.get("pendulum")
    config.integrator, config.decoder_filters, config.variational, config.beta = "euler", (8, 8, 16), False, 0.5
    config.training.batch_size, config.optimizer.gradient_clip = 32, 2.5
    config.data.num_train, config.data.fields = 100, '{"damping": 0.1}'
    return config


def _hnn():
    config = hnn.get("two_body_small")
    config.hnn_weight, config.encoder_sizes, config.optimizer.gradient_clip = 1e-3, (7,), None
    config.evaluation.num_examples = None
    return config


def _nhf():
    config = nhf.get("file")
    config.data.path, config.learned_dt = "a file's rows.npy", True
    return config


@pytest.fixture
def describe(tmp_path):
    """Function of a configuration and facts that returns the provenance of a run with them."""

    def describe_run(config, facts=_FACTS):
        write_config(RunDirectory(tmp_path), config)
        return provenance(RunDirectory(tmp_path), facts)

    return describe_run


@pytest.mark.parametrize("config", [_hgn(), _hnn(), _nhf()], ids=["hgn", "hnn", "nhf"])
def test_the_command_makes_the_same_configuration(describe, config):
    words = shlex.split(describe(config).command)
    assert words[:3] == ["python", "-m", f"experiments.{config.program}"]
    values, presets = flags.FlagValues(), TASKS[config.program].presets
    with mock.patch.object(sys, "argv", words[2:]):
        parsed = config_flags.define_config(presets, config.preset, values)
        flags.DEFINE_string("workdir", None, "", flag_values=values)
        command_line.parse_flags(words[2:], values)
    assert parsed.value == config
    assert parsed.value != pick(presets, config.preset)


def test_a_preset_needs_no_overrides_and_a_place_is_not_part_of_the_run(describe):
    config = hgn.get("pendulum_small")
    config.data.data_dir = "/somewhere"
    expected = "python -m experiments.hgn --config=pendulum_small --workdir=runs/again"
    assert describe(config).command == expected


def test_the_preset_of_another_version_has_no_command(describe):
    config = hgn.get("pendulum_small")
    config.preset = "gone"
    assert describe(config).command == ""


def test_the_configuration_is_complete(describe, tmp_path):
    config = hgn.get("pendulum_small")
    fields = describe(config).config
    assert fields["training.batch_size"] == str(config.training.batch_size)
    assert fields["decoder_filters"] == ",".join(map(str, config.decoder_filters))
    written = flatten(json.loads((tmp_path / "config.json").read_text()))
    assert fields.keys() == written.keys() - {"program"}


def test_facts_in_words(describe):
    assert describe(hgn.get("pendulum_small")).facts == {
        "preset": "a preset", "steps": "30", "seed": "4", "device": "1 x cpu",
        "training, wall-clock time": "5.0 min", "evaluation, wall-clock time": "10 s",
        "training, processor time": "8.3 min", "last multiplier of GECO": "12", "versions": "jax 0.1",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("multiplier", "text"),
    [(None, None), (Multiplier(last=1e6, saturated="maximum"), "1e+06, at its maximum")],
)
def test_the_multiplier_is_told_where_there_is_one(describe, multiplier, text):
    facts = RunFacts(**{**vars(_FACTS), "multiplier": multiplier})
    assert describe(hgn.get("pendulum_small"), facts).facts.get("last multiplier of GECO") == text
