"""Tests of `hgn_jax.models.hgn`."""

import dataclasses

import chex
import haiku as hk
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from absl.testing import parameterized

from hgn_jax import PhaseState, make_hgn
from hgn_jax.metrics import rollouts as metrics
from hgn_jax.models import hgn
from hgn_jax.models.hgn_config import HGNConfig
from tests.hgn_jax.models.random_params import random_params

_KEY = jax.random.PRNGKey(0)
_TINY = HGNConfig(
    image_size=16,
    state_channels=3,
    encoder_filters=(8, 8, 8),
    transform_filters=(8,),
    hamiltonian_filters=(8, 8),
    decoder_filters=(8, 8),
    unroll=1,
)
_VARIANTS = {
    "leapfrog": {},
    "euler": {"integrator": "euler"},
    "deterministic": {"variational": False},
    "no_f_psi": {"use_transform": False},
    "joint": {"hamiltonian": "joint"},
    "authors": {"hamiltonian_network": "authors"},
    "elbo": {"objective": "elbo", "beta": 0.5},
    "first_frames": {"inference_frames": 2},
    "linear_blocks": {"block_activation": "none", "output_activation": "sigmoid"},
    "large": {"image_size": 64, "encoder_filters": (4, 4, 4, 4), "decoder_filters": (4, 4, 4, 4)},
    "substeps": {"substeps": 2},
}


def _batch(config, batch_size=4, num_frames=5):
    shape = (batch_size, num_frames, config.image_size, config.image_size, 3)
    return {"image": np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)}


class HGNTest(parameterized.TestCase):
    def setUp(self):
        super().setUp()
        hk.config.set(check_jax_usage=True)
        self.addCleanup(hk.config.set, check_jax_usage=False)

    @parameterized.parameters(*_VARIANTS)
    def test_shapes(self, name):
        config = dataclasses.replace(_TINY, **_VARIANTS[name])
        model, batch, size = make_hgn(config), _batch(config), config.image_size

        def run(images):
            params = model.init(_KEY, {"image": images})
            posterior = model.infer(params, images)
            state = model.initial_state(params, posterior.mean)
            path = model.rollout(params, state, 7)
            videos = model.reconstruct(params, images, 6), model.sample(params, _KEY, 2, 3, dt=0.05)
            return posterior, state, model.start(params, images), model.hamiltonian(params)(state), path, *videos

        posterior, state, start, energy, path, reconstruction, samples = jax.eval_shape(run, batch["image"])
        chex.assert_shape(posterior, (4, 4, 4, 6))
        chex.assert_shape([*state, *start], (4, 4, 4, 3))
        chex.assert_shape(energy, (4,))
        chex.assert_shape(path, (8, 4, 4, 4, 3))
        chex.assert_shape(reconstruction, (4, 7, size, size, 3))
        chex.assert_shape(samples, (2, 4, size, size, 3))

    def test_paper_sizes(self):
        batch = {"image": jnp.zeros((1, 31, 32, 32, 3))}
        model = make_hgn(HGNConfig())
        params = jax.eval_shape(model.init, _KEY, batch)
        self.assertCountEqual(params, ["encoder", "transform", "kinetic", "potential", "decoder"])
        posterior = jax.eval_shape(model.infer, params, batch["image"])
        self.assertEqual(posterior.mean.shape, (1, 4, 4, 2 * 16))
        weights = {name: layer["w"].shape for name, layer in params["encoder"].items()}
        self.assertEqual([weights[f"convolution_{i}"][-1] for i in range(8)], [32] + [64] * 6 + [48])
        self.assertEqual(weights["convolution_0"][2], 31 * 3)
        self.assertEqual([params["potential"][f"convolution_{i}"]["w"].shape[-1] for i in range(6)], [64] * 6)

    @pytest.mark.slow
    def test_the_rollout_of_a_new_model_moves(self):
        # A softplus energy with the usual initialisation is so flat that every frame of the rollout is the first.
        batch = {"image": _batch(HGNConfig(), 4, 31)["image"]}
        model = make_hgn(HGNConfig())
        params = jax.jit(model.init)(_KEY, batch)

        @jax.jit
        def path(params):
            return model.rollout(params, model.initial_state(params, model.infer(params, batch["image"]).mean), 30)

        q = path(params).q
        displacement = jnp.sqrt(jnp.mean((q[-1] - q[0]) ** 2)) / jnp.std(q[0])
        self.assertGreater(displacement, 0.1)
        self.assertLess(displacement, 1e3)
        static = make_hgn(HGNConfig(hamiltonian_gain=1.0, hamiltonian_output_gain=1.0))
        params = jax.jit(static.init)(_KEY, batch)
        q = jax.jit(lambda p: static.rollout(p, PhaseState(q[0], q[0]), 30))(params).q
        self.assertLess(jnp.sqrt(jnp.mean((q[-1] - q[0]) ** 2)) / jnp.std(q[0]), 0.1)  # what the test would catch

    def test_loss_is_the_lagrangian_of_its_parts(self):
        config = dataclasses.replace(_TINY, variational=False, tolerance=0.02)
        model, batch = make_hgn(config), _batch(config)
        params = random_params(model, batch)
        loss, aux = jax.jit(model.loss)(params, 7.0, _KEY, batch)
        reconstruction = jax.jit(model.reconstruct, static_argnums=2)(params, batch["image"], 4)
        expected = np.mean((reconstruction - batch["image"] / 255.0) ** 2)
        np.testing.assert_allclose(aux["mse"], expected, rtol=1e-5)
        np.testing.assert_allclose(aux["constraint"], expected - 0.02, rtol=1e-5)
        self.assertEqual(aux["kl"], 0.0)
        np.testing.assert_allclose(loss, 7.0 * (expected - 0.02), rtol=1e-5)

    def test_variational_losses(self):
        batch = _batch(_TINY)
        model = make_hgn(_TINY)
        params = random_params(model, batch)
        loss, aux = jax.jit(model.loss)(params, 7.0, _KEY, batch)
        np.testing.assert_allclose(loss, aux["kl"] + 7.0 * aux["constraint"], rtol=1e-5)
        posterior = jax.jit(model.infer)(params, batch["image"])
        np.testing.assert_allclose(aux["kl"], np.mean(hgn.kl_to_standard_normal(posterior)), rtol=1e-5)
        elbo = make_hgn(dataclasses.replace(_TINY, objective="elbo", beta=0.25))
        loss, aux = jax.jit(elbo.loss)(params, 7.0, _KEY, batch)
        # -log N(x; x_hat, 1) per frame, up to its constant, averaged over frames and examples.
        np.testing.assert_allclose(loss, 0.25 * aux["kl"] + 0.5 * 16 * 16 * 3 * aux["mse"], rtol=1e-5)
        self.assertNotIn("constraint", aux)

    @parameterized.parameters("image", "colour")
    @pytest.mark.slow
    def test_a_relative_tolerance_is_a_fraction_of_the_error_of_the_mean_image(self, background):
        config = dataclasses.replace(_TINY, relative_tolerance=0.3, background=background)
        model, batch = make_hgn(config), _batch(config)
        _, aux = model.loss(model.init(_KEY, batch), 10.0, _KEY, batch)
        error = (batch["image"] / 255.0).var(axis=(0, 1)).mean()
        np.testing.assert_allclose(aux["mse"] - aux["constraint"], 0.3 * error, rtol=1e-4)

    def test_kl_against_monte_carlo(self):
        rng = np.random.default_rng(0)
        mean, scale = rng.normal(size=(2, 3)), rng.uniform(0.3, 2.0, size=(2, 3))
        z = mean + scale * rng.normal(size=(200_000, 2, 3))
        log_ratio = -0.5 * ((z - mean) / scale) ** 2 - np.log(scale) + 0.5 * z**2
        expected = log_ratio.sum(-1).mean(0)
        kl = hgn.kl_to_standard_normal(hgn.Posterior(jnp.asarray(mean), jnp.asarray(scale)))
        np.testing.assert_allclose(kl, expected, rtol=0.02)

    def test_random_frames_estimate_the_loss_without_bias(self):
        config = dataclasses.replace(_TINY, variational=False)
        batch = _batch(config)
        model = make_hgn(config)
        params = random_params(model, batch)
        whole = jax.jit(model.loss)(params, 1.0, _KEY, batch)[1]["mse"]
        part = make_hgn(dataclasses.replace(config, loss_frames=2))
        keys = jax.random.split(_KEY, 400)
        estimates = jax.jit(jax.vmap(lambda key: part.loss(params, 1.0, key, batch)[1]["mse"]))(keys)
        self.assertGreater(estimates.std(), 0.0)
        standard_error = float(estimates.std()) / 20
        self.assertLess(abs(float(estimates.mean() - whole)), 4 * standard_error)
        all_frames = make_hgn(dataclasses.replace(config, loss_frames=5))
        np.testing.assert_allclose(jax.jit(all_frames.loss)(params, 1.0, _KEY, batch)[1]["mse"], whole, rtol=1e-5)

    def test_the_horizon_grows_with_the_progress(self):
        config = dataclasses.replace(
            _TINY, image_size=8, encoder_filters=(8,), decoder_filters=(8,), variational=False, inference_frames=1,
            initial_horizon=2, loss_frames=2, horizon_growth=0.5,
        )  # fmt: skip
        model, batch = make_hgn(config), _batch(config, num_frames=6)
        params = random_params(model, batch)

        @jax.jit
        @jax.grad
        def slope(images, progress):
            loss = lambda key: model.loss(params, 1.0, key, {"image": images}, progress=progress)[1]["mse"]
            return jnp.sum(jax.lax.map(loss, jax.random.split(_KEY, 40)))

        def frames_that_matter(progress):
            """Indices of the frames on which the loss depends for some key."""
            magnitude = np.abs(slope(batch["image"] / np.float32(255.0), progress))
            return np.flatnonzero(magnitude.sum((0, 2, 3, 4))).tolist()

        self.assertEqual(frames_that_matter(0.0), [0, 1])
        self.assertEqual(frames_that_matter(0.25), [0, 1, 2, 3])
        self.assertEqual(frames_that_matter(0.5), [0, 1, 2, 3, 4, 5])
        self.assertEqual(frames_that_matter(1.0), [0, 1, 2, 3, 4, 5])

    def test_uint8_and_float_images_agree(self):
        model, batch = make_hgn(_TINY), _batch(_TINY)
        params = random_params(model, batch)
        floats = jnp.asarray(batch["image"], jnp.float32) / 255.0
        chex.assert_trees_all_close(
            model.infer(params, batch["image"]), model.infer(params, floats), rtol=1e-4, atol=1e-5
        )

    def test_rollouts_are_reversible_and_independent_of_speed(self):
        model, batch = make_hgn(_TINY), _batch(_TINY)
        params = random_params(model, batch)
        state = model.initial_state(params, model.infer(params, batch["image"]).mean)
        hamiltonian = model.hamiltonian(params)
        self.assertLess(metrics.reversibility(hamiltonian, state, 0.125, 30, "leapfrog"), 1e-5)
        self.assertGreater(metrics.reversibility(hamiltonian, state, 0.125, 30, "euler"), 1e-4)
        normal = model.rollout(params, state, 16)
        slow = model.rollout(params, state, 32, dt=0.0625)
        self.assertLess(metrics.relative_distance(jax.tree.map(lambda x: x[::2], slow), normal), 1e-3)

    @parameterized.parameters("inference_frames", "loss_frames")
    def test_refuses_more_frames_than_there_are(self, field):
        model = make_hgn(dataclasses.replace(_TINY, **{field: 6}))
        with self.assertRaisesRegex(ValueError, f"{field} is 6, but the clips have 5 frames"):
            model.init(_KEY, _batch(_TINY))
