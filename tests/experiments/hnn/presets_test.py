"""Tests of `experiments.hnn.presets`."""

import dataclasses
import json

from absl.testing import absltest, parameterized

from experiments.hgn import presets
from experiments.hnn import presets as hnn_presets


class HNNPresetsTest(parameterized.TestCase):
    @parameterized.parameters(*hnn_presets.PRESETS)
    def test_every_preset_is_valid(self, name):
        config = hnn_presets.get(name)
        self.assertEqual(config.preset, name)
        hnn_presets.validate(config, 1)

    def test_every_system_has_every_model(self):
        for system in presets.SYSTEMS:
            for suffix in ("", "_small", "_conv", "_conv_small", "_state"):
                self.assertIn(system + suffix, hnn_presets.PRESETS)

    def test_sizes_of_the_phase_spaces(self):
        for system, size in {"mass_spring": 2, "pendulum": 2, "two_body": 8, "three_body": 12}.items():
            self.assertEqual(2 * hnn_presets.get(system).state_size, size)

    def test_the_paper(self):
        config = hnn_presets.get("pendulum")
        self.assertEqual((config.training.num_steps, config.training.batch_size), (15_000, 64))
        self.assertEqual((config.optimizer.learning_rate, config.optimizer.schedule), (1e-3, "constant"))
        self.assertEqual((config.hnn_weight, config.weight_decay, config.dt), (0.1, 1e-5, 1.0))
        self.assertEqual(presets.dataset_config(config).name, "paper")

    def test_small_presets_have_the_data_of_those_of_hgn(self):
        for system in presets.SYSTEMS:
            for name in (f"{system}_small", f"{system}_conv_small"):
                self.assertEqual(hnn_presets.get(name).data, presets.get(f"{system}_small").data)

    def test_the_protocol_of_greydanus(self):
        config = hnn_presets.get("mass_spring_state_noisy")
        dataset = presets.dataset_config(config)
        self.assertEqual((dataset.num_train, dataset.num_test, dataset.num_steps), (25, 25, 29))
        self.assertAlmostEqual(dataset.dt * dataset.num_steps, 3.0)
        self.assertEqual((config.state_noise, config.training.batch_size, config.weight_decay), (0.1, 25, 1e-4))
        self.assertEqual(json.loads(hnn_presets.get("two_body_state_noisy").data.fields)["velocity_perturbation"], 0.05)

    def test_a_preset_is_a_fresh_copy(self):
        hnn_presets.get("pendulum").data.config = "small"
        self.assertEqual(hnn_presets.get("pendulum").data.config, "paper")
        with self.assertRaisesRegex(ValueError, "unknown preset 'moon'; choose one of mass_spring, "):
            hnn_presets.get("moon")

    @parameterized.parameters(
        ("pendulum", {"state_noise": 0.1}, "state_noise is for model=state only"),
        ("pendulum_state", {"state_noise": -0.1}, "state_noise must be 0 or more"),
        ("pendulum_state", {"state_size": 2}, "state_size must be 1, that of pendulum; got 2"),
        ("pendulum_state", {"dt": 0.1}, "dt must be that of the data set, 0.125; got 0.1"),
        ("pendulum", {"model": "moon"}, "model must be one of"),
        ("pendulum", {"data.num_steps": 1}, "data.num_steps must be 2 or more"),
        ("pendulum", {"data.fields": "{"}, "fields must be JSON"),
        ("pendulum", {"data.num_train": 10}, "batch_size is 64, but there are only 10"),
        ("pendulum", {"data.name": "video_folder", "data.config": "default"}, "data.source is missing"),
        ("pendulum_state", {"data.name": "video_folder", "data.source": "/v"}, "needs the true states"),
        ("pendulum", {"evaluation.num_examples": 1}, "num_examples must be 2 or more"),
        ("pendulum", {"evaluation.batch_size": 0}, "batch_size must be 1 or more"),
        ("pendulum", {"optimizer.schedule": "moon"}, "schedule must be one of"),
    )
    def test_what_cannot_be_is_named(self, name, changes, message):
        config = hnn_presets.get(name)
        for field, value in changes.items():
            group, _, last = field.rpartition(".")
            target = getattr(config, group) if group else config
            self.assertIn(last, [f.name for f in dataclasses.fields(target)])
            setattr(target, last, value)
        with self.assertRaisesRegex(ValueError, message):
            hnn_presets.validate(config, 1)


if __name__ == "__main__":
    absltest.main()
