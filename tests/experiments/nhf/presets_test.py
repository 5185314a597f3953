"""Tests of `experiments.nhf.presets`."""

from absl.testing import absltest, parameterized

from experiments.nhf import presets as nhf_presets
from hgn_jax.models.densities import TARGETS


class NHFPresetsTest(parameterized.TestCase):
    @parameterized.parameters(*nhf_presets.PRESETS)
    def test_presets_are_valid_and_say_which_they_are(self, name):
        config = nhf_presets.get(name)
        if name == "file":
            config.data.path = "rows.csv"
        nhf_presets.validate(config, num_devices=1)
        self.assertEqual(config.preset, name)
        self.assertStartsWith(name, config.data.name)

    @parameterized.parameters(*TARGETS)
    def test_every_target_has_three(self, target):
        self.assertContainsSubset((target, f"{target}_plus", f"{target}_paper"), nhf_presets.PRESETS)

    def test_the_paper_presets_hold_the_papers_numbers(self):
        config = nhf_presets.get("four_modes_paper")
        self.assertEqual((config.num_links * config.steps_per_link, config.integrator), (2, "leapfrog"))
        self.assertEqual((config.hidden_sizes, config.activation, config.kinetic), ((128, 128), "softplus", "mlp"))
        self.assertEqual((config.posterior, config.posterior_sizes), ("gaussian", (128, 128)))
        self.assertEqual((config.prior, config.objective, config.objective_samples), ("soft_uniform", "elbo", 1))
        self.assertEqual((config.optimizer.learning_rate, config.optimizer.schedule), (3e-4, "constant"))

    def test_a_preset_is_a_fresh_copy(self):
        nhf_presets.get("rings").data.name = "iris"
        self.assertEqual(nhf_presets.get("rings").data.name, "rings")

    @parameterized.parameters(
        ({"name": "moon"}, {}, "data.name must be one of two_modes, .*, file; got 'moon'"),
        ({"name": "file"}, {}, "data.path must name"),
        ({"path": "rows.csv"}, {}, "data.path is for --config=file only"),
        ({"split_seed": -1}, {}, "data.split_seed must be 0 or more"),
        ({}, {"num_points": 1}, "evaluation.num_points must be 2 or more"),
        ({}, {"num_samples": 100}, "evaluation.num_samples must be a power of two"),
        ({}, {"num_samples": 0}, "evaluation.num_samples must be a power of two"),
        ({}, {"seed": -1}, "evaluation.seed must be 0 or more"),
    )
    def test_refuses(self, data, evaluation, message):
        config = nhf_presets.get("four_modes")
        for part, changes in ((config.data, data), (config.evaluation, evaluation)):
            for field, value in changes.items():
                setattr(part, field, value)
        with self.assertRaisesRegex(ValueError, message):
            nhf_presets.validate(config, num_devices=1)

    def test_unknown_preset(self):
        with self.assertRaisesRegex(ValueError, "unknown preset 'moon'; choose one of two_modes, two_modes_plus"):
            nhf_presets.get("moon")


if __name__ == "__main__":
    absltest.main()
