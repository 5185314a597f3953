"""Tests of HGN++, the variant of `hgn_jax.models.hgn` that learns clips in both directions of time."""

import dataclasses

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from absl.testing import parameterized

from hgn_jax import HGNConfig, make_hgn, training
from hgn_jax.training.geco import geco
from hgn_jax.training.geco_config import GECOConfig
from hgn_jax.training.training_config import OptimizerConfig
from tests.hgn_jax.models.hgn_variants import (
    KEY,
    NUM_FRAMES,
    PLUS_PLUS,
    TINY,
    leapfrog,
    loss_of,
    made,
    reconstruction,
    walk,
)


@pytest.mark.slow
class PlusPlusTest(parameterized.TestCase):
    def test_paper_sizes(self):
        changes = PLUS_PLUS | {"hamiltonian_filters": (250,) * 5, "inference_frames": 5}
        model = make_hgn(HGNConfig(**changes))
        frames = jnp.zeros((2, 31, 32, 32, 3))
        params = jax.eval_shape(model.init, KEY, {"image": frames})
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
        samples = jax.eval_shape(lambda params: model.sample(params, KEY, 3, 30), params)
        self.assertEqual(samples.shape, (3, 31, 32, 32, 3))

    def test_a_vector_is_spread_over_the_grid_by_a_linear_map(self):
        model, params, _ = made(latent="vector", hamiltonian_network="mlp")
        on_grid = make_hgn(TINY)
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
            model, params, frames = made(np.float64, **PLUS_PLUS | {"variational": False} | changes)
            num_seen, dt, num_finer = model.config.inference_frames, 0.125, model.config.substeps
            last, middle = NUM_FRAMES - 1, num_seen // 2
            # The model without directions knows the state that was inferred.
            plain = make_hgn(dataclasses.replace(model.config, rollout_directions="forward"))
            step = jax.jit(lambda state, dt: leapfrog(model.hamiltonian(params), state, dt))

            def roll(state, dt, num_steps):
                return walk(step, state, dt / num_finer, num_steps * num_finer)[::num_finer]

            decode = jax.jit(model.decode)
            infer = jax.jit(lambda params, clips: plain.initial_state(params, plain.infer(params, clips).mean))

            def predictions(clip, backward):
                """Frames by number, from the state at the middle of those seen, forwards and backwards in time."""
                seen = clip[-num_seen:] if backward else clip[:num_seen]
                at = last - middle if backward else middle
                state = infer(params, seen[None])
                frames = dict(zip(range(at, last + 1), roll(state, dt, last - at), strict=True))
                frames |= dict(zip(range(at, -1, -1), roll(state, -dt, at), strict=True))
                return np.stack([decode(params, frames[i])[0] for i in range(last + 1)])

            images = np.stack([predictions(clip, backward=bool(i % 2)) for i, clip in enumerate(frames)])
            mse = loss_of(model, params, frames)[1]["mse"]
            np.testing.assert_allclose(mse, np.mean((images - frames) ** 2), rtol=1e-9)
            forward = np.stack([predictions(clip, backward=False) for clip in frames])
            np.testing.assert_allclose(reconstruction(model, params, frames), forward, atol=1e-9)

    def test_seen_frames_and_target_frames(self):
        model, params, frames = made(**PLUS_PLUS)

        def frames_that_matter(term):
            slope = np.asarray(jax.jit(jax.grad(term))(jnp.asarray(frames)))
            return [np.flatnonzero(np.abs(clip).sum((1, 2, 3))).tolist() for clip in slope]

        first, last = [0, 1, 2], [5, 6, 7]
        seen = frames_that_matter(lambda frames: loss_of(model, params, frames)[1]["kl"])
        self.assertEqual(seen, [first, last, first, last])
        targets = frames_that_matter(lambda frames: loss_of(model, params, frames)[1]["mse"])
        self.assertEqual(targets, [list(range(NUM_FRAMES))] * 4)

    def test_the_horizon_grows_away_from_the_frames_seen(self):
        changes = {"inference_frames": 1, "loss_frames": 3, "initial_horizon": 3, "variational": False}
        model, params, frames = made(**PLUS_PLUS | changes)
        mse = jax.jit(lambda x: model.loss(params, 1.0, KEY, {"image": x}, progress=0.0)[1]["mse"])
        slope = jax.grad(mse)(jnp.asarray(frames))
        targets = [np.flatnonzero(np.abs(clip).sum((1, 2, 3))).tolist() for clip in np.asarray(slope)]
        self.assertEqual(targets, [[0, 1, 2], [5, 6, 7]] * 2)

    @pytest.mark.slow
    def test_learns_a_swing(self):
        train, test = _swings(64, seed=0), _swings(32, seed=1)
        config = HGNConfig(
            **PLUS_PLUS | {"beta": 0.01, "inference_frames": 5}, image_size=8, state_channels=2,
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
