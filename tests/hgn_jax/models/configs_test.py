"""Tests of the configurations of the models; `config_checks_test.py` tests the checks of single fields."""

import dataclasses

from absl.testing import parameterized

from hgn_jax.models import hgn_config, hnn_config, nhf_config
from hgn_jax.models.hgn_config import HGNConfig
from hgn_jax.models.hnn_config import HNNConfig
from hgn_jax.models.nhf_config import NHFConfig
from hgn_jax.physics.integration_methods import METHODS, Splitting

_VALIDATE = {HGNConfig: hgn_config.validate, HNNConfig: hnn_config.validate, NHFConfig: nhf_config.validate}
# A value of each type that no field may have.


def _vector(**fields) -> HGNConfig:
    config = HGNConfig(
        latent="vector",
        hamiltonian_network="mlp",
        rollout_directions="outward",
        inference_frames=5,
        use_transform=False,
    )
    return dataclasses.replace(config, **fields)


def _keypoints(**fields) -> HGNConfig:
    config = _vector(latent="keypoints", num_keypoints=2, state_channels=4, kinetic="quadratic", background="colour")
    return dataclasses.replace(config, **fields)


_WRONG = {
    bool: 2,
    int: -1,
    int | None: 0,
    float: float("nan"),
    float | None: float("nan"),
    str: "unknown",
    tuple[int, ...]: (8, 0),
}


def _validate(config):
    _VALIDATE[type(config)](config)


class ConfigsTest(parameterized.TestCase):
    @parameterized.parameters(
        HGNConfig(),
        HGNConfig(image_size=64, decoder_filters=(64,) * 4),
        HGNConfig(loss_frames=6, initial_horizon=6),
        HGNConfig(hamiltonian_network="mlp"),
        HGNConfig(hamiltonian_network="mlp", latent="vector"),
        HGNConfig(rollout_directions="both", inference_frames=1),
        HGNConfig(rollout_directions="both", inference_frames=5),
        HNNConfig(model="state"),
        HNNConfig(model="pixel", image_size=17),
        HNNConfig(model="convolutional"),
        NHFConfig(links="shared", steps_per_link=3),
        NHFConfig(links="merged", num_links=5),
        NHFConfig(hidden_sizes=(), objective_samples=8),
        NHFConfig(objective="geco", tolerance=0.0, geco_fraction=0.99),
    )
    def test_accepts(self, config):
        _validate(config)

    @parameterized.parameters(
        (HGNConfig(image_size=30), "image_size must be 4 times a power of two .*, got 30"),
        (HGNConfig(decoder_filters=(8, 8)), r"decoder_filters needs 3 entries .*; got \(8, 8\)"),
        (HGNConfig(encoder_filters=(8,)), r"encoder_filters needs at least 3 entries .*; got \(8,\)"),
        (HGNConfig(loss_frames=8, initial_horizon=6), "initial_horizon must be loss_frames=8 or more; got 6"),
        (
            _keypoints(refinement_target="points", objective="relative", fit_weight=1.0),
            "fit_weight needs training_refinement_steps of 1 or more; got 0",
        ),
        (
            _keypoints(refinement_target="points", objective="relative", fit_weight=1.0, training_refinement_steps=2),
            "fit_weight needs a position_noise; got None",
        ),
        (_keypoints(position_noise=0.1), "position_noise=0.1 needs painter=discs; got points"),
        (HGNConfig(latent="vector"), "latent=vector needs hamiltonian_network=mlp; got convolutional"),
        (HGNConfig(rollout_directions="both"), "rollout_directions=both needs an odd number .*; got None"),
        (HGNConfig(rollout_directions="both", inference_frames=4), "rollout_directions=both needs .*; got 4"),
        (_vector(friction=0.1, integrator="rk4"), "friction=0.1 needs integrator=symplectic_euler or .*; got rk4"),
        (_vector(friction=0.1, hamiltonian="joint"), "friction=0.1 needs hamiltonian=separable; got joint"),
        (_vector(seen_frames=3), "seen_frames must be inference_frames=5 or more; got 3"),
        (_vector(seen_frames=6), "rollout_directions=outward needs an odd number of seen_frames; got 6"),
        (_vector(objective="relative"), "objective=relative needs background=colour or image; got none"),
        (HGNConfig(relative_tolerance=0.1), "relative_tolerance=0.1 needs background=colour or image; got none"),
        (_keypoints(state_channels=3), "state_channels must be 4 for num_keypoints=2 and chart=none; got 3"),
        (_keypoints(state_channels=5, chart="network"), "state_channels must be from 1 to 4 .*; got 5"),
        (_keypoints(state_channels=4, chart="rods"), "state_channels must be 2 .* chart=rods; got 4"),
        (
            _keypoints(hamiltonian_network="pairwise", chart="network"),
            "hamiltonian_network=pairwise .*",
        ),
        (_keypoints(inference_frames=1), "latent=keypoints needs inference_frames of 3 or more; got 1"),
        (_keypoints(rollout_directions="both"), "latent=keypoints needs rollout_directions=outward; got both"),
        (HNNConfig(model="convolutional", image_size=48), "image_size must be 4 times a power of two .*, got 48"),
        (HNNConfig(model="convolutional", decoder_filters=(8, 8)), "image_size=32 needs 3 entries .*; got .*"),
        (HNNConfig(model="convolutional", encoder_filters=(8, 8)), "image_size=32 needs 3 entries .*; got .*"),
        (NHFConfig(objective="geco", objective_samples=2), "objective=geco needs objective_samples=1; got 2"),
        (NHFConfig(links="merged", steps_per_link=2), "links=merged needs steps_per_link=1; got 2"),
    )
    def test_refuses_fields_that_do_not_fit_together(self, config, message):
        with self.assertRaisesRegex(ValueError, f"^{message}$"):
            _validate(config)

    @parameterized.parameters(*_VALIDATE)
    def test_every_field_has_a_rule(self, config_class):
        """Each field refuses a value of its type (only Booleans have none that is wrong) and names itself."""
        for field in dataclasses.fields(config_class):
            with self.assertRaisesRegex(ValueError, f"^{field.name} must be .* got "):
                _validate(dataclasses.replace(config_class(), **{field.name: _WRONG[field.type]}))

    def test_integrators(self):
        """A flow needs an exact inverse and unit Jacobian determinant: kicks and drifts only."""
        for method in METHODS:
            hgn_config.validate(HGNConfig(integrator=method.name))
            hnn_config.validate(HNNConfig(integrator=method.name))
            if isinstance(method, Splitting):
                nhf_config.validate(NHFConfig(integrator=method.name))
            else:
                with self.assertRaisesRegex(ValueError, "integrator must be one of symplectic_euler, "):
                    nhf_config.validate(NHFConfig(integrator=method.name))

    def test_latent_shape(self):
        self.assertEqual(hgn_config.latent_shape(HGNConfig()), (4, 4, 32))
        self.assertEqual(hgn_config.latent_shape(HGNConfig(latent="vector", state_channels=3)), (6,))

    def test_inferred_frame(self):
        self.assertEqual(hgn_config.inferred_frame(HGNConfig()), 0)
        self.assertEqual(hgn_config.inferred_frame(HGNConfig(inference_frames=5)), 0)
        for num_frames, middle in ((1, 0), (5, 2), (31, 15)):
            config = HGNConfig(inference_frames=num_frames, rollout_directions="both")
            self.assertEqual(hgn_config.inferred_frame(config), middle)

    @parameterized.parameters("inference_frames", "loss_frames", "initial_horizon")
    def test_clips_must_be_long_enough(self, field):
        config = dataclasses.replace(HGNConfig(), **{field: 6})
        hgn_config.validate_frames(config, 6)
        with self.assertRaisesRegex(ValueError, f"{field} is 6, but the clips have 5 frames"):
            hgn_config.validate_frames(config, 5)
