"""Tests of `hgn_jax.models.momentum_posterior`."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import scipy.stats
from absl.testing import parameterized

from hgn_jax.models.momentum_posterior import _bend, make_momentum_posterior

_KEY = jax.random.PRNGKey(0)
_SAMPLES, _BATCH = 6, 4


def _random(posterior, dim, gain=1.0):
    """Parameters with random biases too, so that nothing is symmetric; outputs are of size `gain`."""
    rng = np.random.default_rng(dim)
    shapes = jax.eval_shape(posterior.init, _KEY, jnp.zeros((1, dim)))
    return jax.tree.map(lambda x: jnp.asarray(rng.normal(size=x.shape) * gain / np.sqrt(x.shape[0])), shapes)


def _inputs(dim):
    rng = np.random.default_rng(10 + dim)
    return jnp.asarray(rng.normal(size=(_BATCH, dim))), jnp.asarray(rng.normal(size=(_SAMPLES, _BATCH, dim)))


def _relu_mlp(params, x):
    x = np.asarray(x)
    for i in range(len(params) - 1):
        layer = params[f"linear_{i}"]
        x = np.maximum(x @ np.asarray(layer["w"]) + np.asarray(layer["b"]), 0.0)
    return x @ np.asarray(params["output"]["w"]) + np.asarray(params["output"]["b"])


class MomentumPosteriorTest(parameterized.TestCase):
    def setUp(self):
        super().setUp()
        self.enter_context(jax.enable_x64(True))

    @parameterized.parameters((1, 0), (1, 1), (1, 3), (2, 0), (2, 1), (2, 2), (2, 3), (3, 1), (3, 2), (3, 3))
    def test_density_agrees_with_the_change_of_variables(self, dim, layers):
        posterior = make_momentum_posterior(dim, (5, 5), layers, bends=4)
        params, (q, noise) = _random(posterior, dim, gain=2.0), _inputs(dim)

        @jax.jit
        def evaluate(q, noise):
            def alone(noise, q):
                p = posterior.sample(params, q[None], noise[None, None])[0][0, 0]
                return p, p

            jacobian, p_alone = jax.vmap(jax.vmap(jax.jacfwd(alone, has_aux=True)), (0, None))(noise, q)
            return *posterior.sample(params, q, noise), p_alone, jacobian

        p, log_prob, p_alone, jacobian = jax.tree.map(np.asarray, evaluate(q, noise))
        chex.assert_shape([p, log_prob], [(_SAMPLES, _BATCH, dim), (_SAMPLES, _BATCH)])
        np.testing.assert_allclose(p_alone, p, rtol=1e-12)
        sign, log_det = np.linalg.slogdet(jacobian)
        np.testing.assert_array_equal(sign, 1.0)
        expected = scipy.stats.norm.logpdf(np.asarray(noise)).sum(-1) - log_det
        np.testing.assert_allclose(log_prob, expected, atol=1e-10)

        slopes = np.std(np.diagonal(jacobian, axis1=-2, axis2=-1), axis=0).min(axis=0)  # over the noise
        bent = [layers > 0 and (dim == 1 or i % 2 == 0 or layers > 1) for i in range(dim)]
        np.testing.assert_array_equal(slopes > 1e-6, bent)  # which dimensions are no longer Gaussian

    @parameterized.parameters(1, 2, 3)
    def test_no_layers_give_the_gaussian(self, dim):
        posterior = make_momentum_posterior(dim, (5, 5))
        params, (q, noise) = _random(posterior, dim), _inputs(dim)
        mean, scale = _relu_mlp(params["mean"], q), np.exp(_relu_mlp(params["scale"], q))
        p, log_prob = jax.jit(posterior.sample)(params, q, noise)
        np.testing.assert_allclose(p, mean + scale * np.asarray(noise), rtol=1e-12)
        np.testing.assert_allclose(log_prob, scipy.stats.norm.logpdf(p, mean, scale).sum(-1), rtol=1e-12)

    def test_integrates_to_one(self):
        """In one dimension, the samples at a fine grid of noise are in order: points of a quadrature."""
        posterior = make_momentum_posterior(1, (5,), layers=3, bends=4)
        params, (q, _) = _random(posterior, 1, gain=2.0), _inputs(1)
        noise = jnp.broadcast_to(jnp.linspace(-8.0, 8.0, 4001)[:, None, None], (4001, _BATCH, 1))
        p, log_prob = jax.jit(posterior.sample)(params, q, noise)
        np.testing.assert_allclose(np.trapezoid(np.exp(log_prob), p[..., 0], axis=0), 1.0, atol=1e-4)


class BendTest(parameterized.TestCase):
    def _shapes(self, scale, bends=8):
        return jnp.asarray(scale * np.random.default_rng(0).normal(size=(200, bends, 3)), jnp.float32)

    @parameterized.product(scale=[0.0, 1.0, 10.0], bends=[1, 8])
    def test_bend_increases_and_its_slope_is_the_derivative(self, scale, bends):
        with jax.enable_x64(True):
            shape = self._shapes(scale, bends).astype(jnp.float64)
            x = jnp.asarray(np.random.default_rng(1).normal(size=200) * 2.0)
            slope = jax.jit(jax.vmap(jax.grad(lambda x, shape: _bend(x, shape)[0])))(x, shape)
            np.testing.assert_allclose(np.exp(jax.jit(_bend)(x, shape)[1]), slope, rtol=1e-9)
            self.assertGreater(float(slope.min()), 0.0)
            self.assertGreater(float(slope.max()), 1.01)

    @parameterized.parameters(1.0, 10.0)
    def test_float32_is_finite_and_increasing_far_out(self, scale):
        x = jnp.linspace(-50.0, 50.0, 1001, dtype=jnp.float32)[:, None]
        shape = self._shapes(scale)

        @jax.jit
        def evaluate(x, shape):
            return _bend(x, shape), jax.grad(lambda *inputs: sum(out.sum() for out in _bend(*inputs)), (0, 1))(x, shape)

        (bent, log_slope), gradients = jax.tree.map(np.asarray, evaluate(x, shape))
        chex.assert_tree_all_finite((bent, log_slope, gradients))
        self.assertEqual((bent.dtype, log_slope.dtype), (np.float32, np.float32))
        self.assertGreaterEqual(log_slope.min(), 0.0)
        self.assertGreater(np.diff(bent, axis=0).min(), 0.0)
        reach = np.logaddexp(0.0, np.asarray(shape[..., 0]) - 3.0).sum(-1)  # the sum of the a_k
        self.assertLess(np.max(np.abs(bent - np.asarray(x)) - reach), 1e-3)
        if scale == 1.0:  # all the tanh are 1 at the end
            np.testing.assert_allclose(bent[-1] - 50.0, reach, atol=1e-3)
