"""Tests of `hgn_jax.hgn_config`."""

import dataclasses

from absl.testing import absltest, parameterized

from hgn_jax.hgn_config import HGNConfig, validate, validate_frames


class HGNConfigTest(parameterized.TestCase):
    @parameterized.parameters(
        {}, {"image_size": 64, "decoder_filters": (64,) * 4}, {"loss_frames": 6, "initial_horizon": 6}
    )
    def test_accepts(self, **changes):
        validate(dataclasses.replace(HGNConfig(), **changes))

    @parameterized.parameters(
        ({"hamiltonian": "newtonian"}, "hamiltonian must be one of separable, joint"),
        ({"hamiltonian_activation": "relu"}, "hamiltonian_activation must be one of"),
        ({"integrator": "verlet"}, "integrator must be one of euler"),
        ({"image_size": 30}, "got 30"),
        ({"decoder_filters": (8, 8)}, "decoder_filters needs 3"),
        ({"encoder_filters": (8,)}, "encoder_filters needs 3"),
        ({"state_channels": 0}, "state_channels must be 1"),
        ({"transform_filters": (8, 0)}, "transform_filters must be positive"),
        ({"dt": float("nan")}, "dt must be positive"),
        ({"loss_frames": 0}, "loss_frames must be 1"),
        ({"beta": -1.0}, "beta must be 0"),
        ({"horizon_growth": 0.0}, "horizon_growth must lie"),
        ({"loss_frames": 8, "initial_horizon": 6}, "initial_horizon must be loss_frames=8 or more"),
        ({"unroll": -1}, "unroll must be 0"),
    )
    def test_refuses(self, wrong, message):
        with self.assertRaisesRegex(ValueError, message):
            validate(dataclasses.replace(HGNConfig(), **wrong))

    @parameterized.parameters("inference_frames", "loss_frames", "initial_horizon")
    def test_clips_must_be_long_enough(self, field):
        config = dataclasses.replace(HGNConfig(), **{field: 6})
        validate_frames(config, 6)
        with self.assertRaisesRegex(ValueError, f"{field} is 6, but the clips have 5 frames"):
            validate_frames(config, 5)


if __name__ == "__main__":
    absltest.main()
