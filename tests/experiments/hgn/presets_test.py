"""Tests of `experiments.hgn.presets`."""

import dataclasses
import os

import jax
import jax.numpy as jnp
from absl.testing import absltest, parameterized

from experiments.hgn import presets
from hgn_jax import make_hgn


class PresetsTest(parameterized.TestCase):
    @parameterized.parameters(*presets.PRESETS)
    def test_presets_are_valid_and_say_which_they_are(self, name):
        config = presets.get(name)
        self.assertEqual(config.preset, name)
        self.assertStartsWith(config.data.name, name.removesuffix("_small").removesuffix("_plus_plus"))
        if name == "video":
            config.data.source = self.create_tempdir().full_path
        else:
            self.assertEqual(config.data.config, "small" if name.endswith("_small") else "paper")
        presets.validate(config, num_devices=1)

    def test_a_preset_is_a_fresh_copy(self):
        config = presets.get("pendulum")
        config.training.batch_size = 1
        self.assertEqual(presets.get("pendulum").training.batch_size, 16)

    def test_unknown_preset(self):
        with self.assertRaisesRegex(ValueError, "unknown preset 'moon'; choose one of mass_spring, mass_spring_small"):
            presets.get("moon")

    def test_the_paper_presets_hold_the_papers_numbers(self):
        config = presets.get("three_body")
        self.assertEqual((config.dt, config.integrator, config.image_size), (0.125, "leapfrog", 32))
        self.assertEqual((config.optimizer.learning_rate, config.optimizer.schedule), (1.5e-4, "constant"))
        self.assertEqual((config.tolerance, config.objective, config.inference_frames), (1e-3, "geco", None))
        self.assertEqual((config.geco.decay, config.geco.minimum, config.geco.maximum), (0.99, 1e-6, 1e6))
        dataset = presets.dataset_config(config)
        self.assertEqual((dataset.num_train, dataset.num_test, dataset.num_steps), (50_000, 10_000, 30))

    def test_plus_plus_is_hgn_plus_plus(self):
        config = presets.get("three_body_plus_plus")
        self.assertEqual((config.latent, config.state_channels, config.use_transform), ("vector", 16, False))
        self.assertEqual((config.hamiltonian_network, config.hamiltonian_activation), ("mlp", "swish"))
        self.assertEqual(config.hamiltonian_filters, (250, 250, 250, 250, 250))
        self.assertEqual((config.inference_frames, config.rollout_directions), (5, "both"))
        self.assertEqual((config.objective, config.optimizer.learning_rate), ("elbo", 1.5e-4))
        self.assertEqual((config.decoder_filters, config.data.config), ((64, 64, 64), "paper"))

    @parameterized.parameters("mass_spring_small", "mass_spring_plus_plus_small")
    def test_the_rollout_of_a_new_small_model_moves(self, name):
        config = presets.get(name)
        model = make_hgn(config)
        frames = jax.random.uniform(jax.random.PRNGKey(1), (4, 31, 32, 32, 3))
        params = jax.jit(model.init)(jax.random.PRNGKey(0), {"image": frames})

        @jax.jit
        def positions(params):
            return model.rollout(params, model.initial_state(params, model.infer(params, frames).mean), 30).q

        q = positions(params)
        displacement = float(jnp.sqrt(jnp.mean((q[-1] - q[0]) ** 2)) / jnp.std(q[0]))
        self.assertBetween(displacement, 0.1, 10.0)

    def test_data_overrides_reach_the_builder(self):
        config = presets.get("pendulum_small")
        config.data.num_train, config.data.observation_noise, config.image_size = 100, 0.0, 64
        dataset = presets.dataset_config(config)
        self.assertEqual((dataset.num_train, dataset.observation_noise, dataset.image_size), (100, 0.0, 64))
        self.assertEqual(dataset.num_test, 1000)
        config = presets.get("pendulum_small")
        config.image_size = 64
        self.assertEqual(presets.dataset_config(config).name, "small_64x64")
        config.data.fields = '{"damping": 0.1, "constants": {"g": 2}}'
        dataset = presets.dataset_config(config)
        self.assertEqual((dataset.damping, dataset.constants["g"], dataset.constants["m"]), (0.1, 2.0, 0.5))

    def test_a_configuration_settles_for_the_videos_as_they_are(self):
        source = self.create_tempdir()
        source.create_file("a.npy", "x")
        config = presets.get("video")
        config.data.source, config.data.stride = os.path.relpath(source.full_path), 5
        settled = presets.settle(config)
        self.assertEqual(settled.data.source, os.path.realpath(source.full_path))
        self.assertRegex(settled.data.fingerprint, "^[0-9a-f]{16}$")
        self.assertIsNone(config.data.fingerprint)
        self.assertEqual(dataclasses.replace(settled, data=config.data), config)
        dataset = presets.dataset_config(settled)
        self.assertEqual((dataset.stride, dataset.fingerprint), (5, settled.data.fingerprint))
        source.create_file("b.npy", "x")
        self.assertEqual(presets.settle(settled), settled)
        self.assertNotEqual(presets.settle(config).data.fingerprint, settled.data.fingerprint)
        self.assertIs(presets.settle(simulated := presets.get("pendulum")), simulated)

    def test_videos_must_be_named_and_enough(self):
        config = presets.get("video")
        with self.assertRaisesRegex(ValueError, "name the directory of your videos, --config.data.source=DIR"):
            presets.validate(config, num_devices=1)
        config.data.source = "/nowhere"
        with self.assertRaisesRegex(ValueError, "the videos' directory /nowhere is not there"):
            presets.settle(config)
        presets.validate_size(config, {"train": 16, "test": 2})
        with self.assertRaisesRegex(
            ValueError, "batch_size is 16, but there are only 15 trajectories; a smaller --conf"
        ):
            presets.validate_size(config, {"train": 15, "test": 2})
        with self.assertRaisesRegex(ValueError, "the test split has one trajectory, and two are needed"):
            presets.validate_size(config, {"train": 16, "test": 1})

    @parameterized.parameters(
        ("image_size", 30, "got 30"),
        ("inference_frames", 32, "inference_frames is 32, but the clips have 31"),
        ("integrator", "verlet", "integrator must be one of euler, "),
        ("training.batch_size", 5, "cannot be divided evenly among 2 devices"),
        ("training.batch_size", 8000, "only 4000 trajectories"),
        ("data.name", "moon", "unknown data set 'moon'; choose one of"),
        ("data.config", "huge", "unknown configuration 'huge'"),
        ("data.num_train", 0, "num_train must be positive"),
        ("data.source", "/videos", "unknown field source; choose from "),
        ("data.fields", "damping=1", "fields must be JSON, as "),
        ("data.fields", "[1]", "fields must be JSON of fields and values"),
        ("data.fields", '{"friction": 1}', "unknown field friction; choose from system"),
        ("geco.decay", 2.0, "decay"),
        ("evaluation.num_examples", 1, "evaluation.num_examples must be 2"),
        ("rollout_directions", "both", "rollout_directions=both needs an odd number of inference_frames"),
        ("evaluation.batch_size", 0, "evaluation.batch_size must be 1"),
    )
    def test_refuses(self, field, value, message):
        config = presets.get("mass_spring_small")
        *group, name = field.split(".")
        setattr(getattr(config, group[0]) if group else config, name, value)
        with self.assertRaisesRegex(ValueError, message):
            presets.validate(config, num_devices=2)

    def test_both_directions_need_two_clips(self):
        config = presets.get("pendulum_plus_plus_small")
        config.training.batch_size = 1
        with self.assertRaisesRegex(
            ValueError, "rollout_directions=both needs training.batch_size of 2 or more, got 1"
        ):
            presets.validate(config, num_devices=1)


if __name__ == "__main__":
    absltest.main()
