"""Tests of `hgn_jax.models.hnn`: losses computed by hand, and training."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from absl.testing import parameterized

from hgn_jax import PhaseState, vector_field
from hgn_jax.metrics.symetric import symetric
from hgn_jax.models.hnn import field_error, make_hnn
from hgn_jax.models.hnn_config import HNNConfig
from hgn_jax.physics import systems

_KEY = jax.random.PRNGKey(0)
_SMALL = {
    "pixel": {"encoder_sizes": (6, 5), "decoder_sizes": (7,)},
    "convolutional": {"encoder_filters": (5,), "decoder_filters": (4,), "latent_channels": 3},
}


def _hnn(model, **changes):
    settings = {"state_size": 2, "image_size": 8, "hidden_sizes": (4, 3), **_SMALL.get(model, {}), **changes}
    return make_hnn(HNNConfig(model=model, **settings))


def _frames(shape=(3, 5), size=8):
    return np.random.default_rng(1).uniform(size=(*shape, size, size, 3))


def _states(shape, seed=0):
    draw = np.random.default_rng(seed).standard_normal
    return {name: draw(shape) for name in ("q", "p", "dq_dt", "dp_dt")}


def _random_params(hnn, seed=0):
    """Parameters in the precision of JAX, biases too: a ReLU of exactly 0 has no gradient to be compared."""
    draw = np.random.default_rng(seed).standard_normal
    shapes = jax.eval_shape(hnn.init, _KEY, {})
    return jax.tree.map(lambda x: jnp.asarray(draw(x.shape) / np.sqrt(x.shape[0])), shapes)


class StateHNNTest(chex.TestCase):
    def test_loss_by_hand(self):
        """H = w2 tanh(w1 . (q, p) + b1) + b2 has the gradient w2 (1 - tanh^2) w1."""
        with jax.enable_x64(True):
            hnn = _hnn("state", state_size=1, hidden_sizes=(1,), weight_decay=0.5)
            params = {
                "hamiltonian": {
                    "linear_0": {"w": jnp.array([[0.3], [-0.7]]), "b": jnp.array([0.2])},
                    "output": {"w": jnp.array([[2.0]]), "b": jnp.array([5.0])},
                }
            }
            chex.assert_trees_all_equal_shapes(params, hnn.init(_KEY, {}))
            batch = {"q": [[1.5]], "p": [[0.4]], "dq_dt": [[0.1]], "dp_dt": [[-0.6]]}
            loss, aux = hnn.loss(params, 1.0, _KEY, {name: jnp.array(value) for name, value in batch.items()})
            slope = 2.0 * (1 - np.tanh(0.3 * 1.5 - 0.7 * 0.4 + 0.2) ** 2)
            field = ((-0.7 * slope - 0.1) ** 2 + (0.3 * slope - 0.6) ** 2) / 2  # dH/dp - dq/dt, dH/dq + dp/dt
            decay = (0.3**2 + 0.7**2 + 0.2**2 + 2.0**2 + 5.0**2) / 2
            np.testing.assert_allclose(aux["field"], field, rtol=1e-12)
            np.testing.assert_allclose(loss, field + 0.5 * decay, rtol=1e-12)

    def test_field_error_of_the_true_energy_and_of_another(self):
        with jax.enable_x64(True):
            state = PhaseState(*(jnp.asarray(_states((7, 4, 1))[name]) for name in "qp"))
            spring = systems.mass_spring().hamiltonian
            derivative = vector_field(spring)(state)
            np.testing.assert_allclose(derivative.q, 2 * state.p, rtol=1e-12)
            self.assertEqual(field_error(spring, state, derivative), 0.0)
            doubled = field_error(lambda s: 2 * spring(s), state, derivative)
            np.testing.assert_allclose(doubled, (np.mean(4 * state.p**2) + np.mean(4 * state.q**2)) / 2, rtol=1e-12)

    def test_refuses_unequal_shapes(self):
        hnn = _hnn("state")
        params, states = _random_params(hnn), _states((3, 4, 2))
        with self.assertRaises(AssertionError):
            hnn.loss(params, 1.0, _KEY, {**states, "p": states["p"][:, :1]})
        with self.assertRaises(AssertionError):
            hnn.loss(params, 1.0, _KEY, _states((3, 4, 1)))

    def test_learns_the_field_of_the_spring(self):
        hnn = make_hnn(HNNConfig(model="state", hidden_sizes=(64, 64), weight_decay=0.0, dt=0.125))
        spring = systems.mass_spring().hamiltonian
        optimizer = optax.adam(optax.cosine_decay_schedule(5e-3, 600))

        def step(carry, key):
            params, opt_state = carry
            state = PhaseState(*jax.random.uniform(key, (2, 128, 1), minval=-1.0, maxval=1.0))
            slope = vector_field(spring)(state)
            batch = {"q": state.q, "p": state.p, "dq_dt": slope.q, "dp_dt": slope.p}
            gradient = jax.grad(lambda p: hnn.loss(p, 1.0, key, batch)[0])(params)
            change, opt_state = optimizer.update(gradient, opt_state)
            return (optax.apply_updates(params, change), opt_state), None

        params = hnn.init(_KEY, {})
        keys = jax.random.split(_KEY, 600)
        (params, _), _ = jax.jit(lambda *carry: jax.lax.scan(step, carry, keys))(params, optimizer.init(params))
        fresh = PhaseState(*jax.random.uniform(jax.random.PRNGKey(9), (2, 500, 1), minval=-0.9, maxval=0.9))
        self.assertLess(field_error(hnn.hamiltonian(params), fresh, vector_field(spring)(fresh)), 1e-3)  # of about 1.1
        # q'' = -4 q: a quarter of the period is pi / 4.
        path = hnn.rollout(
            params, PhaseState(jnp.array([[0.6]]), jnp.array([[0.0]])), 1, dt=np.pi / 4, integrator="rk4"
        )
        np.testing.assert_allclose((path.q[-1, 0, 0], path.p[-1, 0, 0]), (0.0, -0.6), atol=0.05)


class FrameHNNTest(chex.TestCase):
    @parameterized.parameters("pixel", "convolutional")
    def test_loss_by_hand(self, model):
        """The terms are computed from the results of `encode`, `decode` and the energy, pair by pair."""
        with jax.enable_x64(True):
            hnn = _hnn(model, hnn_weight=0.3, weight_decay=0.01, dt=0.5)
            frames = _frames()
            params = _random_params(hnn)
            loss, aux = jax.jit(hnn.loss)(params, 1.0, _KEY, {"image": frames})
            decode = jax.jit(hnn.decode)
            q, p = (np.asarray(x) for x in hnn.encode(params, frames))
            self.assertEqual(q.shape, (3, 4, 2))
            gradient = jax.vmap(jax.vmap(jax.grad(lambda q, p: hnn.hamiltonian(params)(PhaseState(q, p)), (0, 1))))(
                q, p
            )
            autoencoding, canonical, field = [], [], []
            for i in range(3):
                for t in range(3):  # pairs that are followed by another
                    first, second = decode(params, PhaseState(q[i, t], p[i, t]))
                    autoencoding += [(first - frames[i, t]) ** 2, (second - frames[i, t + 1]) ** 2]
                    canonical += [(p[i, t] - (q[i, t + 1] - q[i, t])) ** 2]
                    field += [(gradient[1][i, t] - (q[i, t + 1] - q[i, t]) / 0.5) ** 2]
                    field += [(gradient[0][i, t] + (p[i, t + 1] - p[i, t]) / 0.5) ** 2]
            terms = {"autoencoding": autoencoding, "canonical": canonical, "field": field}
            for name, values in terms.items():
                np.testing.assert_allclose(aux[name], np.mean(values), rtol=1e-10, err_msg=name)
            decay = sum(np.sum(np.square(x)) for x in jax.tree.leaves(params)) / 2
            expected = np.mean(autoencoding) + np.mean(canonical) + 0.3 * np.mean(field) + 0.01 * decay
            np.testing.assert_allclose(loss, expected, rtol=1e-10)

    @parameterized.parameters("pixel", "convolutional")
    def test_a_state_depends_on_its_frame_and_the_next_only(self, model):
        hnn = _hnn(model)
        frames = _frames().astype(np.float32)
        params = _random_params(hnn)
        changed = frames.copy()
        changed[:, 3] = 1.0 - changed[:, 3]
        encode = jax.jit(hnn.encode)
        before, after = encode(params, frames).q, encode(params, changed).q
        np.testing.assert_allclose(after[:, :2], before[:, :2], atol=1e-6)
        self.assertTrue(np.all(np.abs(after[:, 2:] - before[:, 2:]).max(axis=(0, 2)) > 1e-4))

    @parameterized.parameters("pixel", "convolutional")
    def test_reconstruction_is_the_rollout_decoded(self, model):
        hnn = _hnn(model)
        frames = (_frames() * 255).astype(np.uint8)
        params = _random_params(hnn)
        reconstruct = jax.jit(hnn.reconstruct, static_argnums=2)
        images = reconstruct(params, frames, 6)
        self.assertEqual(images.shape, (3, 7, 8, 8, 3))
        np.testing.assert_array_equal(images, reconstruct(params, frames[:, :2], 6))
        start = jax.tree.map(lambda x: x[:, 0], hnn.encode(params, frames / np.float32(255)))
        path = hnn.rollout(params, start, 6)
        self.assertEqual(path.q.shape, (7, 3, 2))
        np.testing.assert_allclose(
            images[1, 4], hnn.decode(params, PhaseState(path.q[4, 1], path.p[4, 1]))[0], atol=1e-5
        )

    @pytest.mark.slow
    def test_learns_an_oscillator_from_frames(self):
        """On a disc without noise the model does not collapse to a constant image, as on the paper's data."""
        hnn = make_hnn(HNNConfig(image_size=8, encoder_sizes=(64,) * 3, decoder_sizes=(64,) * 3, hidden_sizes=(64, 64)))
        row, column = jnp.meshgrid(jnp.linspace(-1, 1, 8), jnp.linspace(-1, 1, 8), indexing="ij")

        def clips(key, number, num_frames):
            radius, phase = jax.random.uniform(key, (2, number, 1)) * jnp.array([0.5, 2 * jnp.pi])[:, None, None]
            angle = phase - 0.25 * jnp.arange(num_frames)
            q, p = (0.3 + radius) * jnp.cos(angle), (0.3 + radius) * jnp.sin(angle)
            disc = jnp.exp(-((row - q[..., None, None]) ** 2 + column**2) / 0.08)
            return jnp.repeat(disc[..., None], 3, axis=-1), jnp.stack([q, p], axis=-1)

        optimizer = optax.adam(1e-3)

        def step(carry, key):
            params, opt_state = carry
            gradient = jax.grad(lambda p: hnn.loss(p, 1.0, key, {"image": clips(key, 64, 3)[0]})[0])(params)
            change, opt_state = optimizer.update(gradient, opt_state)
            return (optax.apply_updates(params, change), opt_state), None

        params = jax.jit(hnn.init)(_KEY, {})
        keys = jax.random.split(_KEY, 3000)
        (params, _), _ = jax.jit(lambda *carry: jax.lax.scan(step, carry, keys))(params, optimizer.init(params))
        images, states = clips(jax.random.PRNGKey(1), 200, 11)
        constant = jnp.mean(jnp.var(images, axis=(0, 1)))
        errors = jnp.mean((hnn.reconstruct(params, images, 10) - images) ** 2, axis=(0, 2, 3, 4))
        self.assertLess(errors[0], 0.1 * constant)
        self.assertLess(errors[3], 0.3 * constant)  # three frames after the last but one that it was shown
        latents = jnp.concatenate(hnn.encode(params, images), axis=-1)
        self.assertGreater(symetric(latents.reshape(-1, 2), states[:, :-1].reshape(-1, 2)).r_squared, 0.9)

    def test_refuses_too_few_frames(self):
        hnn = _hnn("pixel")
        params = _random_params(hnn)
        with self.assertRaises(AssertionError):
            hnn.loss(params, 1.0, _KEY, {"image": _frames((2, 2))})
        with self.assertRaisesRegex(ValueError, "dt must be positive"):
            _hnn("pixel", dt=-1.0)
