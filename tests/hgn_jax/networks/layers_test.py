"""Tests of `hgn_jax.networks.layers`."""

import chex
import haiku as hk
import jax
import jax.numpy as jnp
import numpy as np
from absl.testing import absltest, parameterized

from hgn_jax.networks import layers
from hgn_jax.networks.convolution import convolve
from hgn_jax.networks.upsampling import convolve_doubled, double

_KEY = jax.random.PRNGKey(0)
_X = np.random.default_rng(0).normal(size=(2, 5, 5, 3)).astype(np.float32)


def _transformed(layer, *args, **kwargs):
    return hk.without_apply_rng(hk.transform(lambda x: layer(*args, **kwargs, name="layer")(x)))


class LayersTest(parameterized.TestCase):
    @parameterized.parameters(
        (layers.Conv2D, hk.Conv2D, {"output_channels": 4, "kernel_shape": 3, "stride": 2, "padding": "SAME"}),
        (layers.Linear, hk.Linear, {"output_size": 4}),
    )
    def test_they_are_those_of_haiku(self, ours, theirs, settings):
        b_init = hk.initializers.RandomNormal()
        (mine, params), (haikus, expected) = (
            (network, network.init(_KEY, _X))
            for network in (_transformed(layer, **settings, b_init=b_init) for layer in (ours, theirs))
        )
        chex.assert_trees_all_equal(params, expected)
        chex.assert_trees_all_equal(mine.apply(params, _X), haikus.apply(params, _X))

    @parameterized.parameters((convolve, lambda x: x), (convolve_doubled, double))
    def test_a_convolution_of_ones_own_has_the_parameters_of_haikus(self, function, before):
        init = {
            "w_init": hk.initializers.VarianceScaling(2.0, "fan_in", "truncated_normal"),
            "b_init": hk.initializers.RandomNormal(),
        }
        ours = _transformed(layers.Conv3x3, function, 5, **init)
        haikus = hk.without_apply_rng(hk.transform(lambda x: hk.Conv2D(5, 3, **init, name="layer")(before(x))))
        params = haikus.init(_KEY, _X)
        chex.assert_trees_all_equal(ours.init(_KEY, _X), params)
        chex.assert_trees_all_close(ours.apply(params, _X), haikus.apply(params, _X), rtol=1e-4, atol=1e-5)

    def test_biases_begin_at_nothing(self):
        self.assertFalse(np.any(_transformed(layers.Linear, 4).init(_KEY, _X)["layer"]["b"]))

    @parameterized.parameters(
        (layers.Conv2D, (3, 32, 32, 2), (4, 3)),  # 3072 positions, and a sum of ones in bfloat16 ends at 256
        (layers.Linear, (3072, 2), (4,)),
    )
    def test_gradients_of_biases_are_exact_in_bfloat16(self, layer, shape, settings):
        network, x = _transformed(layer, *settings), jnp.ones(shape, jnp.bfloat16)
        params = network.init(_KEY, x)
        self.assertEqual(network.apply(params, x).dtype, jnp.bfloat16)
        gradient = jax.jit(jax.grad(lambda params, x: network.apply(params, x).astype(jnp.float32).sum()))(params, x)
        np.testing.assert_array_equal(gradient["layer"]["b"].astype(np.float32), 3072.0)

    def test_and_in_float64(self):
        with jax.enable_x64(True):
            network, x = _transformed(layers.Linear, 4), np.ones((7, 3))
            params = network.init(_KEY, x)
            gradient = jax.grad(lambda params: network.apply(params, x).sum() / 3)(params)["layer"]["b"]
            self.assertEqual(gradient.dtype, jnp.float64)
            np.testing.assert_allclose(gradient, 7 / 3, rtol=1e-15)


if __name__ == "__main__":
    absltest.main()
