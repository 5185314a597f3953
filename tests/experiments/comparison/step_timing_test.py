"""Tests of `experiments.comparison.step_timing`."""

import dataclasses

import jax
import numpy as np
import pytest
from absl.testing import parameterized

from benchmarks.train_step import smallest
from experiments.comparison import step_timing
from experiments.hgn import presets
from experiments.hnn import presets as hnn_presets
from hgn_jax.models.hgn import make_hgn
from hgn_jax.training.training_config import TrainingConfig


def _hnn(preset):
    config = hnn_presets.get(preset)
    config.image_size, config.encoder_sizes, config.decoder_sizes, config.hidden_sizes = 8, (3,), (3,), (3,)
    config.encoder_filters, config.decoder_filters, config.latent_channels = (2,), (2,), 2
    return dataclasses.replace(config, training=TrainingConfig(num_steps=10, batch_size=4))


class StepTimingTest(parameterized.TestCase):
    @parameterized.parameters("pendulum_small", "two_body_conv_small")
    @pytest.mark.slow
    def test_a_step_of_an_hnn_takes_time(self, preset):
        self.assertGreater(step_timing.seconds_per_step(_hnn(preset)), 0.0)

    def test_every_call_is_a_step_of_training(self):
        config = smallest(presets.get("pendulum_small"))
        batch = step_timing.random_batch(config, config.training.batch_size)
        self.assertEqual(batch["image"].shape, (4, 4, 8, 8, 3))
        step = step_timing.prepare(make_hgn(config), config, batch, jax.local_devices()[:1]).step
        errors = [float(jax.device_get(step())["mse"]) for _ in range(8)]
        self.assertLess(errors[-1], errors[0])
        self.assertLen(set(errors), 8)

    def test_the_median_leaves_out_the_first_call(self):
        calls = iter([0.5, 0.0, 0.01, 0.0])

        def run():
            step_timing.time.sleep(next(calls))
            return np.ones(1)

        self.assertLess(step_timing.median_seconds(run, 3), 0.01)
