"""Tests of `experiments.run.provenance`."""

import json
import pathlib
import shlex
import sys
import unittest.mock

from absl import flags
from absl.testing import absltest, parameterized

from experiments.hgn import presets
from experiments.hnn import presets as hnn_presets
from experiments.nhf import presets as nhf_presets
from experiments.run import command_line
from experiments.run.provenance import provenance
from experiments.run.run_directory import RunDirectory, flatten, write_config
from tests.experiments.reporting.reported_runs import RUN


def _hgn():
    config = presets.get("pendulum")
    config.integrator, config.decoder_filters, config.variational, config.beta = "euler", (8, 8, 16), False, 0.5
    config.training.batch_size, config.optimizer.gradient_clip = 32, 2.5
    config.data.num_train, config.data.fields = 100, '{"damping": 0.1}'
    return config


def _hnn():
    config = hnn_presets.get("two_body_small")
    config.hnn_weight, config.encoder_sizes = 1e-3, (7,)
    return config


def _nhf():
    config = nhf_presets.get("file")
    config.data.path, config.learned_dt = "a file's rows.npy", True
    return config


class ProvenanceTest(parameterized.TestCase):
    def setUp(self):
        super().setUp()
        self.run_directory = RunDirectory(pathlib.Path(self.create_tempdir().full_path))

    def _provenance(self, config):
        write_config(self.run_directory, config)
        return provenance(self.run_directory, RUN)

    @parameterized.parameters((presets, _hgn), (hnn_presets, _hnn), (nhf_presets, _nhf))
    def test_the_command_makes_the_same_configuration(self, module, make):
        config = make()
        words = shlex.split(self._provenance(config).command)
        self.assertEqual(words[:3], ["python", "-m", f"experiments.{config.program}"])
        values = flags.FlagValues()
        with unittest.mock.patch.object(sys, "argv", words[2:]):
            parsed = command_line.define_config(module.get, module.PRESETS, config.preset, values)
            flags.DEFINE_string("workdir", None, "", flag_values=values)
            command_line.parse_flags(words[2:], values)
        self.assertEqual(parsed.value, config)
        self.assertNotEqual(parsed.value, module.get(config.preset))

    def test_a_preset_needs_no_overrides_and_a_place_is_not_part_of_the_run(self):
        config = presets.get("pendulum_small")
        config.data.data_dir = "/somewhere"
        self.assertEqual(
            self._provenance(config).command,
            "python -m experiments.hgn --config=pendulum_small --workdir=runs/again",
        )

    def test_what_no_flag_can_set_is_named(self):
        config = presets.get("pendulum_small")
        config.optimizer.gradient_clip = None
        found = self._provenance(config)
        self.assertEqual(found.beyond_flags, ("optimizer.gradient_clip",))
        self.assertNotIn("gradient_clip", found.command)

    def test_a_preset_of_another_version(self):
        config = presets.get("pendulum_small")
        config.preset = "gone"
        self.assertEqual(self._provenance(config).command, "")

    def test_configuration_and_facts(self):
        config = presets.get("pendulum_small")
        found = self._provenance(config)
        self.assertEqual(found.config["training.batch_size"], str(config.training.batch_size))
        self.assertEqual(found.config["decoder_filters"], ",".join(map(str, config.decoder_filters)))
        self.assertLen(found.config, len(flatten(json.loads(self.run_directory.config.read_text()))) - 1)
        for name, value in {"seed": "4", "device": "1 x cpu", "training, by the clock": "5.0 min",
                            "evaluation, by the clock": "10 s", "versions": "jax 0.1",
                            "last multiplier of GECO": "12"}.items():  # fmt: skip
            self.assertEqual(found.facts[name], value)
        self.assertNotIn("last multiplier of GECO", self._provenance(hnn_presets.get("pendulum_small")).facts)


if __name__ == "__main__":
    absltest.main()
