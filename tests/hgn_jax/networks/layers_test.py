"""Tests of `hgn_jax.networks.layers`."""

import chex
import haiku as hk
import jax
import jax.numpy as jnp
import numpy as np
from absl.testing import parameterized

from hgn_jax.networks import layers
from hgn_jax.networks.convolution import convolve
from hgn_jax.networks.upsampling import convolve_doubled, double

_KEY = jax.random.PRNGKey(0)
_X = np.random.default_rng(0).normal(size=(2, 5, 5, 3)).astype(np.float32)


def _transformed(layer, *args, **kwargs):
    return hk.without_apply_rng(hk.transform(lambda x: layer(*args, **kwargs, name="layer")(x)))


def _init_and_apply(network, x):
    """The parameters of a network and its output, compiled together."""

    @jax.jit
    def compute():
        params = network.init(_KEY, x)
        return params, network.apply(params, x)

    return compute()


class LayersTest(parameterized.TestCase):
    @parameterized.parameters(
        (layers.Conv2D, hk.Conv2D, {"output_channels": 4, "kernel_shape": 3, "stride": 2, "padding": "SAME"}),
        (layers.Linear, hk.Linear, {"output_size": 4}),
    )
    def test_parameters_and_outputs_are_those_of_haiku(self, layer, haiku_layer, kwargs):
        b_init = hk.initializers.RandomNormal()
        ours, haikus = (_init_and_apply(_transformed(cls, **kwargs, b_init=b_init), _X) for cls in (layer, haiku_layer))
        chex.assert_trees_all_close(ours[0], haikus[0], rtol=1e-5)
        chex.assert_trees_all_close(ours[1], haikus[1], rtol=1e-6)

    @parameterized.parameters((convolve, lambda x: x), (convolve_doubled, double))
    def test_a_convolution_by_another_function_has_the_parameters_of_haiku(self, function, preprocess):
        init = {
            "w_init": hk.initializers.VarianceScaling(2.0, "fan_in", "truncated_normal"),
            "b_init": hk.initializers.RandomNormal(),
        }
        ours = _init_and_apply(_transformed(layers.Conv3x3, function, 5, **init), _X)
        reference = hk.transform(lambda x: hk.Conv2D(5, 3, **init, name="layer")(preprocess(x)))
        haikus = _init_and_apply(hk.without_apply_rng(reference), _X)
        chex.assert_trees_all_close(ours[0], haikus[0], rtol=1e-5)
        chex.assert_trees_all_close(ours[1], haikus[1], rtol=1e-4, atol=1e-5)

    @parameterized.parameters(
        (layers.Conv2D, (3, 32, 32, 2), (4, 3)),  # 3072 positions; a sum of ones in bfloat16 stops growing at 256
        (layers.Linear, (3072, 2), (4,)),
    )
    def test_gradients_of_biases_are_exact_in_bfloat16(self, layer, shape, args):
        network, x = _transformed(layer, *args), jnp.ones(shape, jnp.bfloat16)
        params = jax.tree.map(lambda x: jnp.zeros(x.shape, x.dtype), jax.eval_shape(network.init, _KEY, x))
        self.assertEqual(jax.eval_shape(network.apply, params, x).dtype, jnp.bfloat16)
        gradient = jax.jit(jax.grad(lambda params, x: network.apply(params, x).astype(jnp.float32).sum()))(params, x)
        np.testing.assert_array_equal(gradient["layer"]["b"].astype(np.float32), 3072.0)

    def test_biases_start_at_zero_and_learn_in_float64(self):
        with jax.enable_x64(True):
            network, x = _transformed(layers.Linear, 4), np.ones((7, 3))
            params = jax.jit(network.init)(_KEY, x)
            np.testing.assert_array_equal(params["layer"]["b"], 0.0)
            gradient = jax.jit(jax.grad(lambda params: network.apply(params, x).sum() / 3))(params)["layer"]["b"]
            self.assertEqual(gradient.dtype, jnp.float64)
            np.testing.assert_allclose(gradient, 7 / 3, rtol=1e-15)
