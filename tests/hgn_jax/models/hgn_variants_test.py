"""Tests of the variants of `hgn_jax.models.hgn` against independent computations."""

import dataclasses

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from absl.testing import parameterized

from hgn_jax import HGNConfig, PhaseState, make_hgn
from tests.hgn_jax.models.hgn_variants import (
    KEY,
    NUM_FRAMES,
    TINY,
    compiled,
    euler,
    inferred_state,
    leapfrog,
    loss_of,
    made,
    reconstruction,
    walk,
)


class PaperVariantsTest(parameterized.TestCase):
    @parameterized.parameters(
        ("euler", "separable", "convolutional"), ("euler", "joint", "authors"), ("leapfrog", "separable", "mlp"),
        ("leapfrog", "joint", "convolutional"),
    )  # fmt: skip
    def test_training_uses_the_textbook_integrator(self, name, hamiltonian, network):
        step = {"euler": euler, "leapfrog": leapfrog}[name]
        with jax.enable_x64(True):
            model, params, frames = made(
                np.float64, integrator=name, hamiltonian=hamiltonian, hamiltonian_network=network, variational=False
            )
            state = inferred_state(model, params, frames)
            one_step = jax.jit(lambda state, dt: step(model.hamiltonian(params), state, dt))
            path = walk(one_step, state, 0.125, NUM_FRAMES - 1)
            self.assertGreater(np.abs(path[-1] - path[0]).max(), 1e-3)
            images = np.stack([compiled(model.decode)(params, q) for q in path], axis=1)
            np.testing.assert_allclose(reconstruction(model, params, frames), images, atol=1e-10)
            mse = loss_of(model, params, frames)[1]["mse"]
            np.testing.assert_allclose(mse, np.mean((images - frames) ** 2), rtol=1e-9)

    @pytest.mark.slow
    def test_deterministic_variant_has_neither_noise_nor_kl(self):
        model, params, frames = made(variational=False)
        losses = [loss_of(model, params, frames, jax.random.PRNGKey(seed)) for seed in (0, 1)]
        chex.assert_trees_all_equal(*losses)
        loss, aux = losses[0]
        self.assertEqual(aux["kl"], 0.0)
        np.testing.assert_allclose(loss, 7.0 * (aux["mse"] - TINY.tolerance), rtol=1e-6)
        slope = jax.grad(lambda params: loss_of(model, params, frames)[0])(params)["encoder"]
        self.assertGreater(np.abs(slope["mean"]["w"]).max(), 0.0)
        np.testing.assert_array_equal(slope["log_variance"]["w"], 0.0)
        model, params, frames = made()  # the full model has both
        full = [loss_of(model, params, frames, jax.random.PRNGKey(seed)) for seed in (0, 1)]
        self.assertNotEqual(full[0][1]["mse"], full[1][1]["mse"])
        self.assertGreater(full[0][1]["kl"], 0.0)

    @parameterized.parameters({}, {"latent": "vector", "hamiltonian_network": "mlp"})
    def test_without_f_psi_the_state_is_z(self, **changes):
        model, params, frames = made(use_transform=False, **changes)
        self.assertNotIn("transform", params)
        z = model.infer(params, frames).mean
        chex.assert_trees_all_equal(model.initial_state(params, z), PhaseState(z[..., :2], z[..., 2:]))
        model, params, frames = made(**changes)
        self.assertIn("transform", params)
        self.assertGreater(np.abs(model.initial_state(params, z).q - z[..., :2]).max(), 1e-3)

    @parameterized.product(hamiltonian=("separable", "joint"), network=("authors", "mlp"))
    def test_only_separable_energies_are_sums(self, hamiltonian, network):
        with jax.enable_x64(True):
            model, params, _ = made(np.float64, hamiltonian=hamiltonian, hamiltonian_network=network)
            (q, p), (other_q, other_p) = (
                PhaseState(*np.random.default_rng(i).normal(size=(2, 3, 4, 4, 2))) for i in (0, 1)
            )
            energy = jax.jit(model.hamiltonian(params))
            mixed = (
                energy(PhaseState(q, p))
                + energy(PhaseState(other_q, other_p))
                - energy(PhaseState(q, other_p))
                - energy(PhaseState(other_q, p))
            )
            chex.assert_shape(mixed, (3,))
            if hamiltonian == "separable":
                np.testing.assert_allclose(mixed, 0.0, atol=1e-10)
            else:
                self.assertGreater(np.abs(mixed).min(), 1e-6)
        names = {"separable": {"kinetic", "potential"}, "joint": {"hamiltonian"}}[hamiltonian]
        self.assertSameElements(set(params) - {"encoder", "transform", "decoder"}, names)

    def test_frames_that_are_not_seen_are_still_targets(self):
        model, params, frames = made(inference_frames=5)
        predicted = reconstruction(model, params, frames)
        model = make_hgn(dataclasses.replace(model.config, variational=False))

        def slope(term):
            return jax.jit(jax.grad(term))(jnp.asarray(frames))

        posterior_slope = slope(lambda frames: jnp.sum(model.infer(params, frames).mean ** 2))
        np.testing.assert_array_equal(posterior_slope[:, 5:], 0.0)
        self.assertGreater(np.abs(posterior_slope[:, :5]).max(axis=(0, 2, 3, 4)).min(), 0.0)
        mse_slope = slope(lambda frames: loss_of(model, params, frames)[1]["mse"])
        as_targets = 2 * (frames - predicted) / frames.size
        np.testing.assert_allclose(mse_slope[:, 5:], as_targets[:, 5:], atol=1e-8)
        self.assertGreater(np.abs(mse_slope - as_targets)[:, :5].max(), 1e-6)  # those seen also move the prediction

    def test_block_activation_bounds_the_images(self):
        for activation, bounded in (("sigmoid", True), ("none", False)):
            model, params, _ = made(block_activation=activation)
            images = jax.jit(model.decode)(params, 1e4 * np.random.default_rng(0).normal(size=(5, 4, 4, 2)))
            layer = params["decoder"]["image"]
            bound = np.abs(layer["w"]).sum((0, 1, 2)) + np.abs(layer["b"])  # features in [0, 1] cannot draw more
            self.assertEqual(bool((np.abs(images) <= bound * 1.001).all()), bounded, activation)

    def test_the_multiplier_has_no_effect_with_a_fixed_beta(self):
        model, params, frames = made(objective="elbo", beta=0.5)
        chex.assert_trees_all_equal(
            loss_of(model, params, frames, multiplier=1.0), loss_of(model, params, frames, multiplier=9.0)
        )

    @parameterized.parameters({}, {"hamiltonian_network": "authors", "inference_frames": 5, "hamiltonian": "joint"})
    def test_paper_sizes_at_64x64(self, **changes):
        model = make_hgn(HGNConfig(image_size=64, decoder_filters=(64,) * 4, **changes))
        batch = {"image": jax.ShapeDtypeStruct((2, 31, 64, 64, 3), np.uint8)}
        params = jax.eval_shape(model.init, KEY, batch)
        self.assertEqual(jax.eval_shape(model.infer, params, batch["image"]).mean.shape, (2, 4, 4, 32))
        images = jax.eval_shape(lambda params, frames: model.reconstruct(params, frames, 30), params, batch["image"])
        self.assertEqual(images.shape, (2, 31, 64, 64, 3))
