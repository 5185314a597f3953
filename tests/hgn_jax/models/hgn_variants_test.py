"""Tests of the variants of `hgn_jax.models.hgn` against independent computations."""

import dataclasses
import functools

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from absl.testing import parameterized

from hgn_jax import HGNConfig, PhaseState, make_hgn, training
from hgn_jax.training.geco import geco
from hgn_jax.training.geco_config import GECOConfig
from hgn_jax.training.training_config import OptimizerConfig
from tests.hgn_jax.models.random_params import random_params

_KEY = jax.random.PRNGKey(0)
_TINY = HGNConfig(
    image_size=8,
    state_channels=2,
    encoder_filters=(4, 4),
    transform_filters=(4,),
    hamiltonian_filters=(4, 4),
    decoder_filters=(4,),
    unroll=1,
)
_PLUS_PLUS = {
    "latent": "vector",
    "use_transform": False,
    "hamiltonian_network": "mlp",
    "hamiltonian_activation": "swish",
    "inference_frames": 3,
    "rollout_directions": "both",
    "objective": "elbo",
    "beta": 0.5,
}
_NUM_FRAMES = 8


def _images(batch_size=4, num_frames=_NUM_FRAMES, dtype=np.float32):
    return np.random.default_rng(0).uniform(size=(batch_size, num_frames, 8, 8, 3)).astype(dtype)


@functools.cache
def _made(dtype=np.float32, **changes):
    """A model, random parameters, and frames."""
    model, frames = make_hgn(dataclasses.replace(_TINY, **changes)), _images(dtype=dtype)
    return model, random_params(model, {"image": frames}, seed=1, gain=1.5, dtype=dtype), frames


_compiled = functools.cache(jax.jit)


def _loss(model, params, frames, key=_KEY, multiplier=7.0):
    return _compiled(model.loss)(params, multiplier, key, {"image": frames})


def _inferred(model, params, frames):
    """The state, as the model has it from the posterior mean."""
    return jax.jit(lambda params, frames: model.initial_state(params, model.infer(params, frames).mean))(params, frames)


def _reconstruction(model, params, frames):
    return jax.jit(model.reconstruct, static_argnums=2)(params, frames, frames.shape[1] - 1)


def _total(hamiltonian):
    return lambda q, p: jnp.sum(hamiltonian(PhaseState(q, p)))


def _euler(hamiltonian, state, dt):
    q, p = state
    slope_q, slope_p = jax.grad(_total(hamiltonian), argnums=(0, 1))(q, p)
    return PhaseState(q + dt * slope_p, p - dt * slope_q)


def _leapfrog(hamiltonian, state, dt):
    q, p = state
    along_q, along_p = (jax.grad(_total(hamiltonian), argnums=i) for i in (0, 1))
    p = p - dt / 2 * along_q(q, p)
    q = q + dt * along_p(q, p)
    return PhaseState(q, p - dt / 2 * along_q(q, p))


def _walk(step, state, dt, num_steps):
    """The positions of a path, the start included, by a loop over steps written out."""
    path = [state]
    for _ in range(num_steps):
        path.append(step(path[-1], dt))
    return [state.q for state in path]


class PaperVariantsTest(parameterized.TestCase):
    @parameterized.parameters(
        ("euler", "separable", "convolutional"), ("euler", "joint", "authors"), ("leapfrog", "separable", "mlp"),
        ("leapfrog", "joint", "convolutional"),
    )  # fmt: skip
    def test_training_uses_the_textbook_integrator(self, name, hamiltonian, network):
        step = {"euler": _euler, "leapfrog": _leapfrog}[name]
        with jax.enable_x64(True):
            model, params, frames = _made(
                np.float64, integrator=name, hamiltonian=hamiltonian, hamiltonian_network=network, variational=False
            )
            state = _inferred(model, params, frames)
            one_step = jax.jit(lambda state, dt: step(model.hamiltonian(params), state, dt))
            path = _walk(one_step, state, 0.125, _NUM_FRAMES - 1)
            self.assertGreater(np.abs(path[-1] - path[0]).max(), 1e-3)
            images = np.stack([_compiled(model.decode)(params, q) for q in path], axis=1)
            np.testing.assert_allclose(_reconstruction(model, params, frames), images, atol=1e-10)
            mse = _loss(model, params, frames)[1]["mse"]
            np.testing.assert_allclose(mse, np.mean((images - frames) ** 2), rtol=1e-9)

    def test_deterministic_variant_has_neither_noise_nor_kl(self):
        model, params, frames = _made(variational=False)
        losses = [_loss(model, params, frames, jax.random.PRNGKey(seed)) for seed in (0, 1)]
        chex.assert_trees_all_equal(*losses)
        loss, aux = losses[0]
        self.assertEqual(aux["kl"], 0.0)
        np.testing.assert_allclose(loss, 7.0 * (aux["mse"] - _TINY.tolerance), rtol=1e-6)
        slope = jax.grad(lambda params: _loss(model, params, frames)[0])(params)["encoder"]
        self.assertGreater(np.abs(slope["mean"]["w"]).max(), 0.0)
        np.testing.assert_array_equal(slope["log_variance"]["w"], 0.0)
        model, params, frames = _made()  # the full model has both
        full = [_loss(model, params, frames, jax.random.PRNGKey(seed)) for seed in (0, 1)]
        self.assertNotEqual(full[0][1]["mse"], full[1][1]["mse"])
        self.assertGreater(full[0][1]["kl"], 0.0)

    @parameterized.parameters({}, {"latent": "vector", "hamiltonian_network": "mlp"})
    def test_without_f_psi_the_state_is_z(self, **changes):
        model, params, frames = _made(use_transform=False, **changes)
        self.assertNotIn("transform", params)
        z = model.infer(params, frames).mean
        chex.assert_trees_all_equal(model.initial_state(params, z), PhaseState(z[..., :2], z[..., 2:]))
        model, params, frames = _made(**changes)
        self.assertIn("transform", params)
        self.assertGreater(np.abs(model.initial_state(params, z).q - z[..., :2]).max(), 1e-3)

    @parameterized.product(hamiltonian=("separable", "joint"), network=("authors", "mlp"))
    def test_only_separable_energies_are_sums(self, hamiltonian, network):
        with jax.enable_x64(True):
            model, params, _ = _made(np.float64, hamiltonian=hamiltonian, hamiltonian_network=network)
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
        model, params, frames = _made(inference_frames=5)
        predicted = _reconstruction(model, params, frames)
        model = make_hgn(dataclasses.replace(model.config, variational=False))

        def slope(term):
            return jax.jit(jax.grad(term))(jnp.asarray(frames))

        posterior_slope = slope(lambda frames: jnp.sum(model.infer(params, frames).mean ** 2))
        np.testing.assert_array_equal(posterior_slope[:, 5:], 0.0)
        self.assertGreater(np.abs(posterior_slope[:, :5]).max(axis=(0, 2, 3, 4)).min(), 0.0)
        mse_slope = slope(lambda frames: _loss(model, params, frames)[1]["mse"])
        as_targets = 2 * (frames - predicted) / frames.size
        np.testing.assert_allclose(mse_slope[:, 5:], as_targets[:, 5:], atol=1e-8)
        self.assertGreater(np.abs(mse_slope - as_targets)[:, :5].max(), 1e-6)  # those seen also move the prediction

    def test_block_activation_bounds_the_images(self):
        for activation, bounded in (("sigmoid", True), ("none", False)):
            model, params, _ = _made(block_activation=activation)
            images = jax.jit(model.decode)(params, 1e4 * np.random.default_rng(0).normal(size=(5, 4, 4, 2)))
            layer = params["decoder"]["image"]
            bound = np.abs(layer["w"]).sum((0, 1, 2)) + np.abs(layer["b"])  # features in [0, 1] cannot draw more
            self.assertEqual(bool((np.abs(images) <= bound * 1.001).all()), bounded, activation)

    def test_the_multiplier_has_no_effect_with_a_fixed_beta(self):
        model, params, frames = _made(objective="elbo", beta=0.5)
        chex.assert_trees_all_equal(
            _loss(model, params, frames, multiplier=1.0), _loss(model, params, frames, multiplier=9.0)
        )

    @parameterized.parameters({}, {"hamiltonian_network": "authors", "inference_frames": 5, "hamiltonian": "joint"})
    def test_paper_sizes_at_64x64(self, **changes):
        model = make_hgn(HGNConfig(image_size=64, decoder_filters=(64,) * 4, **changes))
        batch = {"image": jax.ShapeDtypeStruct((2, 31, 64, 64, 3), np.uint8)}
        params = jax.eval_shape(model.init, _KEY, batch)
        self.assertEqual(jax.eval_shape(model.infer, params, batch["image"]).mean.shape, (2, 4, 4, 32))
        images = jax.eval_shape(lambda params, frames: model.reconstruct(params, frames, 30), params, batch["image"])
        self.assertEqual(images.shape, (2, 31, 64, 64, 3))


class PlusPlusTest(parameterized.TestCase):
    def test_paper_sizes(self):
        changes = _PLUS_PLUS | {"hamiltonian_filters": (250,) * 5, "inference_frames": 5}
        model = make_hgn(HGNConfig(**changes))
        frames = jnp.zeros((2, 31, 32, 32, 3))
        params = jax.eval_shape(model.init, _KEY, {"image": frames})
        self.assertCountEqual(params, ["encoder", "kinetic", "potential", "decoder"])
        for head in ("mean", "log_variance"):
            self.assertEqual(params["encoder"][head]["w"].shape, (4 * 4 * 48, 32))
        self.assertEqual(params["encoder"]["convolution_0"]["w"].shape[2], 5 * 3)
        for energy in ("kinetic", "potential"):
            widths = [layer["w"].shape for layer in params[energy].values()]
            self.assertCountEqual(widths, [(16, 250), *[(250, 250)] * 4, (250, 1)])
        self.assertEqual(params["decoder"]["grid"]["w"].shape, (16, 4 * 4 * 16))
        self.assertEqual(params["decoder"]["block_0_skip"]["w"].shape, (1, 1, 16, 64))
        self.assertEqual(jax.eval_shape(model.infer, params, frames).mean.shape, (2, 32))
        samples = jax.eval_shape(lambda params: model.sample(params, _KEY, 3, 30), params)
        self.assertEqual(samples.shape, (3, 31, 32, 32, 3))

    def test_a_vector_is_spread_over_the_grid_by_a_linear_map(self):
        model, params, _ = _made(latent="vector", hamiltonian_network="mlp")
        on_grid = make_hgn(_TINY)
        q = np.random.default_rng(0).normal(size=(3, 5, 2)).astype(np.float32)
        decoder = dict(params["decoder"])
        layer = decoder.pop("grid")
        grid = (q @ np.asarray(layer["w"]) + np.asarray(layer["b"])).reshape(3, 5, 4, 4, 2)
        expected = on_grid.decode({"decoder": decoder}, grid)
        chex.assert_shape(expected, (3, 5, 8, 8, 3))
        np.testing.assert_allclose(model.decode(params, q), expected, atol=1e-5)

    @parameterized.parameters(
        {}, {"latent": "spatial", "hamiltonian_network": "convolutional", "use_transform": True},
        {"substeps": 2, "inference_frames": 7},
    )  # fmt: skip
    def test_the_inferred_state_is_rolled_both_ways(self, **changes):
        with jax.enable_x64(True):
            model, params, frames = _made(np.float64, **_PLUS_PLUS | {"variational": False} | changes)
            num_seen, dt, num_finer = model.config.inference_frames, 0.125, model.config.substeps
            last, middle = _NUM_FRAMES - 1, num_seen // 2
            # The model without directions knows the state that was inferred.
            plain = make_hgn(dataclasses.replace(model.config, rollout_directions="forward"))
            step = jax.jit(lambda state, dt: _leapfrog(model.hamiltonian(params), state, dt))

            def walk(state, dt, num_steps):
                return _walk(step, state, dt / num_finer, num_steps * num_finer)[::num_finer]

            decode = jax.jit(model.decode)
            infer = jax.jit(lambda params, clips: plain.initial_state(params, plain.infer(params, clips).mean))

            def predictions(clip, backward):
                """Frames by number, from the state at the middle of those seen, forwards and backwards in time."""
                seen = clip[-num_seen:] if backward else clip[:num_seen]
                at = last - middle if backward else middle
                state = infer(params, seen[None])
                frames = dict(zip(range(at, last + 1), walk(state, dt, last - at), strict=True))
                frames |= dict(zip(range(at, -1, -1), walk(state, -dt, at), strict=True))
                return np.stack([decode(params, frames[i])[0] for i in range(last + 1)])

            images = np.stack([predictions(clip, backward=bool(i % 2)) for i, clip in enumerate(frames)])
            mse = _loss(model, params, frames)[1]["mse"]
            np.testing.assert_allclose(mse, np.mean((images - frames) ** 2), rtol=1e-9)
            forward = np.stack([predictions(clip, backward=False) for clip in frames])
            np.testing.assert_allclose(_reconstruction(model, params, frames), forward, atol=1e-9)

    def test_seen_frames_and_target_frames(self):
        model, params, frames = _made(**_PLUS_PLUS)

        def frames_that_matter(term):
            slope = np.asarray(jax.jit(jax.grad(term))(jnp.asarray(frames)))
            return [np.flatnonzero(np.abs(clip).sum((1, 2, 3))).tolist() for clip in slope]

        first, last = [0, 1, 2], [5, 6, 7]
        seen = frames_that_matter(lambda frames: _loss(model, params, frames)[1]["kl"])
        self.assertEqual(seen, [first, last, first, last])
        targets = frames_that_matter(lambda frames: _loss(model, params, frames)[1]["mse"])
        self.assertEqual(targets, [list(range(_NUM_FRAMES))] * 4)

    def test_the_horizon_grows_away_from_the_frames_seen(self):
        changes = {"inference_frames": 1, "loss_frames": 3, "initial_horizon": 3, "variational": False}
        model, params, frames = _made(**_PLUS_PLUS | changes)
        mse = jax.jit(lambda x: model.loss(params, 1.0, _KEY, {"image": x}, progress=0.0)[1]["mse"])
        slope = jax.grad(mse)(jnp.asarray(frames))
        targets = [np.flatnonzero(np.abs(clip).sum((1, 2, 3))).tolist() for clip in np.asarray(slope)]
        self.assertEqual(targets, [[0, 1, 2], [5, 6, 7]] * 2)

    @pytest.mark.slow
    def test_learns_a_swing(self):
        train, test = _swings(64, seed=0), _swings(32, seed=1)
        config = HGNConfig(
            **_PLUS_PLUS | {"beta": 0.01, "inference_frames": 5}, image_size=8, state_channels=2,
            encoder_filters=(16, 16), hamiltonian_filters=(32, 32), decoder_filters=(16,),
            block_activation="leaky_relu", unroll=1, initial_horizon=6, dt=0.25,
        )  # fmt: skip
        model, optimizer = make_hgn(config), training.make_optimizer(OptimizerConfig(5e-3, "cosine", 0.05, 1.0), 600)
        multiplier = geco(GECOConfig())
        state = training.init_state(model.init, optimizer, multiplier, 0, {"image": train[:1]})
        update = training.make_update(model.loss, optimizer, multiplier, num_steps=600, devices=jax.devices()[:1])
        errors = []
        for step in range(600):
            rows = np.random.default_rng(step).choice(len(train), 16)
            state, scalars = update(state, {"image": train[None, rows]})
            errors.append(float(scalars["mse"]))
        predicted = model.reconstruct(state.params, test, test.shape[1] - 1)
        error, variance = np.mean((predicted - test) ** 2), np.mean((test - test.mean((0, 1))) ** 2)
        self.assertLess(errors[-1], 0.1 * errors[0])
        self.assertLess(error, 0.25 * variance)


def _swings(num_clips, seed, num_frames=16):
    """Clips of a blob that swings up and down in an 8x8 image with one frequency, whatever its amplitude and phase."""
    rng = np.random.default_rng(seed)
    amplitude, phase = rng.uniform(0.3, 0.8, (num_clips, 1)), rng.uniform(0, 2 * np.pi, (num_clips, 1))
    height = amplitude * np.cos(0.5 * np.arange(num_frames) + phase)
    grid = np.linspace(-1, 1, 8)
    blob = np.exp(-((grid[:, None] - height[..., None, None]) ** 2 + grid**2) / 0.15)
    return np.repeat(blob[..., None], 3, axis=-1).astype(np.float32)
