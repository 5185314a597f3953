"""Tests of the anchored HGN, whose state belongs to the middle of a window at a random place of the clip."""

import dataclasses
import functools
import itertools
from unittest import mock

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.optimize
from absl.testing import parameterized
from jax.flatten_util import ravel_pytree

from hgn_jax import PhaseState, make_hgn
from hgn_jax.models.hgn_config import inferred_frame
from hgn_jax.models.hgn_networks import make_decoder, make_encoder
from tests.hgn_jax.float64 import Float64TestCase
from tests.hgn_jax.models.hgn_variants import ANCHORED, KEYPOINTS, NUM_FRAMES, TINY, compiled, leapfrog, made, walk

_DT = TINY.dt
_BOTH = ({"latent": "vector"}, {"latent": "keypoints"})
_FIELDS = {"vector": ANCHORED, "keypoints": KEYPOINTS}


def _made(latent, **changes):
    """A model without noise that sees five frames, its parameters, and one clip; changes leave the parameters alike."""
    model, params, frames = made(np.float64, **_FIELDS[latent] | {"variational": False} | changes)
    return model, params, jnp.asarray(frames[:1])


@functools.cache
def _damped_step(latent):
    """`(params, state, dt) -> state`, a leapfrog step between halves of friction, written out."""
    model, *_ = _made(latent)

    def step(params, state, dt):
        half = lambda state: PhaseState(state.q, jnp.exp(-0.5 * jnp.exp(params["log_friction"]) * dt) * state.p)
        return half(leapfrog(model.hamiltonian(params), half(state), dt))

    return jax.jit(step)


def _walk(latent, params, state, num_steps):
    """Positions `[num_steps + 1, 1, 2]`, backwards in time for a negative number of steps."""
    step = lambda state, dt: _damped_step(latent)(params, state, dt)
    return jnp.stack(walk(step, state, np.copysign(_DT, num_steps), abs(num_steps)))


def _walk_both_ways(latent, params, state, num_before, num_after):
    before, after = (_walk(latent, params, state, n) for n in (-num_before, num_after))
    return jnp.concatenate([before[:0:-1], after])


def _norm(tree):
    return jnp.linalg.norm(ravel_pytree(tree)[0])


@parameterized.parameters(*_BOTH)
class AnchoredTest(Float64TestCase):
    def test_the_state_of_a_random_window_explains_the_whole_clip(self, latent):
        """The error is that of one of the windows there are, and every one of them is drawn."""
        model, params, clip = _made(latent)
        errors = []
        for anchor in range(2, NUM_FRAMES - 2):
            state = compiled(model.infer_state)(params, clip[:, anchor - 2 : anchor + 3])
            path = _walk_both_ways(latent, params, state, anchor, NUM_FRAMES - 1 - anchor)
            self.assertGreater(np.ptp(path, axis=0).max(), 0.1)
            errors.append(np.mean((compiled(model.decode)(params, path)[:, 0] - clip[0]) ** 2))
        loss = lambda key: model.loss(params, 1.0, key, {"image": clip})
        losses, aux = jax.jit(lambda keys: jax.lax.map(loss, keys))(jax.random.split(jax.random.PRNGKey(0), 40))
        drawn = np.argmin(np.abs(aux["mse"][:, None] - np.array(errors)), axis=1)
        self.assertEqual(set(drawn), set(range(len(errors))))
        np.testing.assert_allclose(aux["mse"], np.array(errors)[drawn], rtol=1e-8)
        np.testing.assert_allclose(losses, aux["mse"] / params["frames"]["pixel_std"] ** 2, rtol=1e-12)

    def test_a_clip_is_read_from_the_middle_of_the_frames_seen(self, latent):
        model, params, clip = _made(latent, seen_frames=7)
        five_frames, *_ = _made(latent)
        self.assertEqual((inferred_frame(five_frames.config), inferred_frame(model.config)), (2, 3))
        state = compiled(five_frames.infer_state)(params, clip[:, 1:6])
        start = compiled(model.start)(params, clip)
        path = _walk(latent, params, start, 3)
        self.assertGreater(np.abs(path[3] - path[0]).max(), 0.01)
        np.testing.assert_allclose(path[3], state.q, atol=1e-12)
        np.testing.assert_allclose(_walk(latent, params, state, -3)[3], start.q, atol=1e-12)

    def test_a_reconstruction_shows_the_inferred_state_whatever_the_integrator(self, latent):
        """Even Euler's method, by which a state that is rolled back and forwards again does not return."""
        model, params, clip = _made(latent, integrator="euler", friction=None)
        seen, anchor = clip[:, :5], inferred_frame(model.config)
        state = compiled(model.infer_state)(params, seen)
        images = model.reconstruct(params, seen, 4)
        np.testing.assert_allclose(images[:, anchor], model.decode(params, state.q), atol=1e-12)
        returned = model.rollout(params, model.start(params, seen), anchor)
        self.assertGreater(np.abs(returned.q[-1] - state.q).max(), 1e-9)
        np.testing.assert_allclose(model.reconstruct(params, seen, 1), images[:, :2], atol=1e-12)

    def test_clips_played_backwards_have_the_same_places_and_opposite_momenta(self, latent):
        model, params, clip = _made(latent)
        infer = lambda window: compiled(model.infer_state)(params, window)
        state, reversed_state = infer(clip[:, :5]), infer(clip[:, 4::-1])
        self.assertGreater(np.abs(state.p).min(), 1e-4)
        chex.assert_trees_all_close(reversed_state, PhaseState(state.q, -state.p), rtol=1e-12, atol=1e-12)


class RefinementTest(Float64TestCase):
    def _painted(self, latent):
        """A state, the frames painted from it, and an encoder that answers another state to all frames."""
        _, params, _ = _made(latent, time_reversal=False)
        rng = np.random.default_rng(0)
        state = PhaseState(rng.uniform(-1, 1, (1, 2)), 0.3 * rng.normal(size=(1, 2)))
        answer = np.concatenate([state.q[0] + 0.1 * rng.normal(size=2), np.zeros(2)])
        if latent == "vector":
            head = params["encoder"]["mean"]
            params = params | {"encoder": params["encoder"] | {"mean": {"w": 0 * head["w"], "b": jnp.asarray(answer)}}}
        else:
            zeros = jax.tree.map(jnp.zeros_like, params["encoder"])
            zeros["chart"]["flat"]["linear"]["b"] = jnp.asarray(answer[:2])
            params = params | {"encoder": zeros}
        decode = compiled(_made(latent)[0].decode)
        frames = jnp.swapaxes(decode(params, _walk_both_ways(latent, params, state, 3, 3)), 0, 1)
        return params, state, frames

    def _check_that_a_perturbed_state_is_recovered(self, latent):
        params, state, frames = self._painted(latent)
        model, *_ = _made(latent, seen_frames=7, refinement_steps=12, time_reversal=False)
        chex.assert_trees_all_close(compiled(model.infer_state)(params, frames), state, atol=1e-6)

    def _check_that_training_starts_from_the_recovered_state(self, latent, **changes):
        params, _, frames = self._painted(latent)
        self.enter_context(mock.patch("hgn_jax.models.hgn._LARGEST_TRAINING_SHIFT", 2.0))
        errors = []
        for steps in (0, 12):
            model, *_ = _made(latent, training_refinement_steps=steps, time_reversal=False, **changes)
            loss = lambda key, model=model: model.loss(params, 1.0, key, {"image": frames})[1]["mse"]
            errors.append(jax.jit(loss)(jax.random.PRNGKey(0)))
        self.assertGreater(errors[0], 1e-6)
        self.assertLess(errors[1], 1e-6 * errors[0])

    def test_recovers_a_state_of_keypoints(self):
        self._check_that_a_perturbed_state_is_recovered("keypoints")

    @pytest.mark.slow
    def test_training_starts_from_recovered_keypoints(self):
        self._check_that_training_starts_from_the_recovered_state("keypoints")

    @pytest.mark.slow
    def test_training_fits_keypoints_to_more_frames_than_the_window_has(self):
        self._check_that_training_starts_from_the_recovered_state("keypoints", seen_frames=7)

    @pytest.mark.slow
    def test_training_starts_from_a_recovered_vector(self):
        self._check_that_training_starts_from_the_recovered_state("vector")

    @pytest.mark.slow
    def test_recovers_a_vector(self):
        self._check_that_a_perturbed_state_is_recovered("vector")


class PriorTest(Float64TestCase):
    def test_a_state_is_weighed_against_its_prior(self):
        """No state is better by scipy, in units of the noise and of the prior."""
        noise, dt = 0.4, _DT
        fields = {"chart": "none", "painter": "discs", "position_noise": 0.1, "refinement_target": "points"}
        model, params, clip = _made("keypoints", **fields, refinement_steps=30)
        params["decoder"]["log_noise"] = jnp.full(2, np.log(noise))
        rng = np.random.default_rng(0)
        mean, whiten = rng.normal(size=4), rng.normal(size=(4, 3))
        frames = clip[0, :5]
        shown = (frames - params["frames"]["mean_image"]) / params["frames"]["pixel_std"]
        points = make_encoder(model.config).detect(params["encoder"], shown)

        @jax.jit
        def residuals(z):
            state = PhaseState(z[None, :2], z[None, 2:])
            after, before = (model.rollout(params, state, 2, sign * dt).q[:, 0] for sign in (1, -1))
            return jnp.concatenate(
                [((jnp.concatenate([before[:0:-1], after]) - points) / noise).ravel(), (z - mean) @ whiten]
            )

        def inferred(params):
            return np.concatenate(jax.jit(model.infer_state)(params, clip[:1, :5]), axis=-1)[0]

        z = inferred(params | {"prior": {"mean": mean, "whiten": whiten}})
        best = scipy.optimize.least_squares(residuals, z + 0.1, xtol=1e-12, ftol=1e-12, gtol=1e-12).x
        np.testing.assert_allclose(z, best, atol=1e-5)
        self.assertGreater(np.abs(inferred(params) - z).max(), 1e-2)


class ObjectiveTest(Float64TestCase):
    _FITTED = {"refinement_target": "points", "training_refinement_steps": 2, "painter": "discs", "position_noise": 0.1}

    def _loss_and_gradient(self, log_noise, fit_weight, progress):
        model, params, clip = _made("keypoints", **self._FITTED, fit_weight=fit_weight)
        params["decoder"]["log_noise"] = jnp.full(2, log_noise)

        def loss(params):
            return model.loss(params, 1.0, jax.random.PRNGKey(0), {"image": clip}, progress=progress)

        return jax.jit(jax.value_and_grad(loss, has_aux=True))(params)

    @pytest.mark.slow
    def test_fitted_states_teach_the_dynamics_and_the_encoder_to_guess_them(self):
        """In the second half of the training; the encoder learns from nothing else, and the painter not from points."""
        log_noise = 3.0  # which explains any distance
        (once, aux), gradient = self._loss_and_gradient(log_noise, 1.0, 0.9)
        (thrice, aux_thrice), gradient_thrice = self._loss_and_gradient(log_noise, 3.0, 0.9)
        self.assertGreater(thrice, once)
        np.testing.assert_allclose(aux["mse"], aux_thrice["mse"], rtol=1e-9)
        added = jax.tree.map(jnp.subtract, gradient_thrice, gradient)
        self.assertGreater(min(_norm(added[name]) for name in ("kinetic", "potential", "encoder")), 1e-9)
        self.assertLess(_norm(added["decoder"]["painter"]), 1e-12)
        expected = jax.tree.map(lambda x: 3.0 * x, gradient["encoder"])
        chex.assert_trees_all_close(gradient_thrice["encoder"], expected, rtol=1e-9, atol=1e-12)
        early, early_without = (self._loss_and_gradient(log_noise, weight, 0.4) for weight in (3.0, 0.0))
        chex.assert_trees_all_close(early, early_without, rtol=1e-12)

    @pytest.mark.slow
    def test_clips_that_noise_does_not_explain_are_left_out(self):
        log_noise = -9.0
        (_, aux), gradient = self._loss_and_gradient(log_noise, 3.0, 0.9)
        self.assertEqual(aux["mse"], 0.0)
        self.assertEqual(max(_norm(gradient["potential"]), _norm(gradient["encoder"])), 0.0)
        (_, aux), gradient = self._loss_and_gradient(log_noise, 0.0, 0.9)
        self.assertGreater(aux["mse"], 0.0)
        self.assertGreater(_norm(gradient["potential"]), 0.0)

    @pytest.mark.slow
    def test_of_keypoints_adds_the_error_of_frames_painted_from_their_own_points(self):
        frame_weight = 2.0
        model, params, clip = _made("keypoints", chart="none", frame_weight=frame_weight)
        # Without its correction, the encoder finds in a clip that stands still the points of its frame.
        params["encoder"]["middle"] = jax.tree.map(jnp.zeros_like, params["encoder"]["middle"])
        still = jnp.repeat(clip[0, :, None], 5, axis=1)
        points = model.infer_state(params, still).q
        frame_errors = jnp.mean((model.decode(params, points) - clip[0]) ** 2, axis=(1, 2, 3))
        loss, aux = jax.jit(lambda key: model.loss(params, 1.0, key, {"image": clip}))(jax.random.PRNGKey(0))
        candidates = []
        for anchor in range(2, NUM_FRAMES - 2):
            state = model.infer_state(params, clip[:, anchor - 2 : anchor + 3])
            before, after = anchor, NUM_FRAMES - 1 - anchor
            path = jax.tree.map(
                lambda x, y: jnp.concatenate([x[:0:-1], y]),
                model.rollout(params, state, before, -_DT),
                model.rollout(params, state, after, _DT),
            )
            mse = jnp.mean((model.decode(params, path.q)[:, 0] - clip[0]) ** 2)
            for i, j in itertools.combinations(range(NUM_FRAMES), 2):  # the frames painted from their own points
                own = 0.5 * (frame_errors[i] + frame_errors[j])
                variance = params["frames"]["pixel_std"] ** 2
                candidates.append((mse, (mse + frame_weight * own) / variance))
        matches = np.all(np.isclose(np.array(candidates), [aux["mse"], loss], rtol=1e-8), axis=1)
        self.assertEqual(matches.sum(), 1)


class ModelTest(Float64TestCase):
    @parameterized.parameters(*_BOTH)
    @pytest.mark.slow
    def test_equal_batches_give_equal_parameters(self, latent):
        model, _, frames = made(**_FIELDS[latent])
        first, second = (jax.jit(model.init)(jax.random.PRNGKey(0), {"image": np.array(frames)}) for _ in range(2))
        chex.assert_trees_all_equal(first, second)
        np.testing.assert_allclose(model.friction(first), np.full(2, 0.1), rtol=1e-6)

    @parameterized.parameters(("none", 4), ("rods", 2))
    def test_noise_of_positions_is_averaged_over(self, chart, state_channels):
        """A decoded frame is the mean of the frames of noisy positions, as painted without noise."""
        fields = KEYPOINTS | {"num_keypoints": 2, "state_channels": state_channels, "chart": chart, "friction": None}
        fields |= {"painter": "discs", "image_size": 32}
        noisy, clean = (
            make_decoder(dataclasses.replace(TINY, **fields, position_noise=noise)) for noise in (0.1, None)
        )
        rng = np.random.default_rng(0)
        q = rng.normal(size=(2, state_channels))
        params = noisy.init(jax.random.PRNGKey(0), q)
        discs = {"log_width": np.full(2, -1.5), "log_sharpness": np.log([20.0, 40.0])}
        params["painter"]["~"] |= discs | {"colours": rng.normal(size=(2, 3))}
        drawn = q + np.exp(params["log_noise"]) * rng.normal(size=(1000, 2, state_channels))
        mean = jax.jit(clean.apply)(params, drawn.reshape(-1, state_channels)).reshape(1000, 2, 32, 32, 3).mean(axis=0)
        without, expected = clean.apply(params, q), noisy.apply(params, q)
        self.assertLess(np.square(expected - mean).mean(), 0.07 * np.square(without - mean).mean())

    def test_only_keypoints_have_places(self):
        model, params, _ = _made("keypoints")
        path = np.random.default_rng(0).normal(size=(3, 5, 2))
        self.assertEqual(model.places(params, path).shape, (3, 5, 1, 2))
        for changes in ({}, ANCHORED):
            model = make_hgn(dataclasses.replace(TINY, **changes))
            self.assertIsNone(model.places)
        self.assertIsNone(make_hgn(TINY).friction({}))
