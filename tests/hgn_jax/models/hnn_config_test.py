"""Tests of `hgn_jax.models.hnn_config`."""

import dataclasses

from absl.testing import parameterized

from hgn_jax.models import hnn_config
from hgn_jax.models.hnn_config import HNNConfig


class HNNConfigTest(parameterized.TestCase):
    @parameterized.parameters("state", "pixel", "convolutional")
    def test_defaults_are_valid(self, model):
        hnn_config.validate(HNNConfig(model=model))

    @parameterized.parameters(
        ({"model": "pixels"}, "model must be one of state, pixel, convolutional; got 'pixels'"),
        ({"activation": "relu"}, "activation must be one of tanh"),
        ({"integrator": "magic"}, "integrator must be one of euler"),
        ({"state_size": 0}, "state_size must be 1 or more, got 0"),
        ({"substeps": 0}, "substeps must be 1 or more"),
        ({"hnn_weight": -0.1}, "hnn_weight must be 0.0 or more"),
        ({"weight_decay": float("nan")}, "weight_decay must be 0.0 or more"),
        ({"dt": 0.0}, "dt must be positive"),
        ({"hidden_sizes": (200, 0)}, "hidden_sizes must be positive whole numbers"),
        ({"model": "convolutional", "image_size": 48}, "image size must be 4 times a power of two"),
        ({"model": "convolutional", "decoder_filters": (8, 8)}, "image_size=32 needs 3 entries of decoder_filters"),
        ({"model": "convolutional", "encoder_filters": (8, 8)}, "image_size=32 needs 3 entries"),
    )
    def test_what_cannot_be_is_named(self, changes, message):
        with self.assertRaisesRegex(ValueError, message):
            hnn_config.validate(dataclasses.replace(HNNConfig(), **changes))

    def test_perceptrons_take_any_image(self):
        hnn_config.validate(HNNConfig(image_size=17))
