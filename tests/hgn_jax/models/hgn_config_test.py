"""Tests of `hgn_jax.models.hgn_config`."""

import dataclasses

from absl.testing import absltest, parameterized

from hgn_jax.models.hgn_config import HGNConfig, inferred_frame, latent_shape, validate, validate_frames


class HGNConfigTest(parameterized.TestCase):
    @parameterized.parameters(
        {}, {"image_size": 64, "decoder_filters": (64,) * 4}, {"loss_frames": 6, "initial_horizon": 6},
        {"latent": "vector", "hamiltonian_network": "mlp"}, {"hamiltonian_network": "mlp"},
        {"rollout_directions": "both", "inference_frames": 1}, {"rollout_directions": "both", "inference_frames": 5},
    )  # fmt: skip
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
        ({"latent": "scalar"}, "latent must be one of spatial, vector"),
        ({"latent": "vector"}, "latent=vector needs hamiltonian_network=mlp, got convolutional"),
        ({"hamiltonian_network": "cnn"}, "hamiltonian_network must be one of convolutional, authors, mlp"),
        ({"rollout_directions": "backward"}, "rollout_directions must be one of forward, both"),
        ({"rollout_directions": "both"}, "rollout_directions=both needs an odd number of inference_frames, got None"),
        ({"rollout_directions": "both", "inference_frames": 4}, "an odd number of inference_frames, got 4"),
    )
    def test_refuses(self, wrong, message):
        with self.assertRaisesRegex(ValueError, message):
            validate(dataclasses.replace(HGNConfig(), **wrong))

    def test_the_state_and_the_frame_it_belongs_to(self):
        self.assertEqual((latent_shape(HGNConfig()), inferred_frame(HGNConfig())), ((4, 4, 32), 0))
        self.assertEqual(latent_shape(HGNConfig(latent="vector", state_channels=3)), (6,))
        self.assertEqual(inferred_frame(HGNConfig(inference_frames=5)), 0)
        for num_frames, middle in ((1, 0), (5, 2), (31, 15)):
            config = HGNConfig(inference_frames=num_frames, rollout_directions="both")
            self.assertEqual(inferred_frame(config), middle)

    @parameterized.parameters("inference_frames", "loss_frames", "initial_horizon")
    def test_clips_must_be_long_enough(self, field):
        config = dataclasses.replace(HGNConfig(), **{field: 6})
        validate_frames(config, 6)
        with self.assertRaisesRegex(ValueError, f"{field} is 6, but the clips have 5 frames"):
            validate_frames(config, 5)


if __name__ == "__main__":
    absltest.main()
