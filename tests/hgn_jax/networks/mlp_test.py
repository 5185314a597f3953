"""Tests of `hgn_jax.networks.mlp`."""

import jax
import jax.numpy as jnp
import numpy as np
from absl.testing import parameterized

from hgn_jax.networks.mlp import mlp

_KEY = jax.random.PRNGKey(0)


class MLPTest(parameterized.TestCase):
    @parameterized.parameters(
        ("relu", lambda x: np.maximum(x, 0.0)), ("softplus", lambda x: np.log1p(np.exp(x))), ("tanh", np.tanh)
    )
    def test_is_affine_maps_with_activations_between(self, name, activation):
        x = np.random.default_rng(0).normal(size=(2, 3, 4)).astype(np.float32)
        network = mlp((6, 5, 2), name, bias_scale=1.0)
        params = jax.jit(network.init)(_KEY, x)
        outputs = jax.jit(network.apply)(params, x)
        for layer in ("linear_0", "linear_1"):
            x = activation(x @ np.asarray(params[layer]["w"]) + np.asarray(params[layer]["b"]))
        expected = x @ np.asarray(params["output"]["w"]) + np.asarray(params["output"]["b"])
        np.testing.assert_allclose(outputs, expected, rtol=1e-5, atol=1e-5)

    def test_initial_scales(self):
        params = jax.jit(mlp((400, 300, 200), "relu", 1.5, 0.1, bias_scale=0.7).init)(_KEY, jnp.ones((1, 100)))
        for name, gain, fan_in, bias in (
            ("linear_0", 1.5, 100, 0.7),
            ("linear_1", 1.5, 400, 0.7),
            ("output", 0.1, 300, 0.0),
        ):
            np.testing.assert_allclose(params[name]["w"].std(), gain / fan_in**0.5, rtol=0.02)
            np.testing.assert_allclose(params[name]["b"].std(), bias, rtol=0.15)

    def test_default_gain_keeps_the_scale_through_relu(self):
        params = jax.jit(mlp((50, 50), "relu").init)(_KEY, jnp.ones((1, 100)))
        np.testing.assert_allclose(params["linear_0"]["w"].std(), (2 / 100) ** 0.5, rtol=0.05)
        np.testing.assert_array_equal(params["linear_0"]["b"], 0.0)
