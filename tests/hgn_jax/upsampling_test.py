"""Tests of upsampling and of the convolution that follows it."""

import chex
import haiku as hk
import jax
import jax.numpy as jnp
import numpy as np
from absl.testing import absltest, parameterized

from hgn_jax.upsampling import DoubledConv2D, convolve_doubled, double


def _convolve(x, kernel):
    return jax.lax.conv_general_dilated(x, kernel, (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC"))


class UpsamplingTest(parameterized.TestCase):
    def test_double_repeats_every_pixel(self):
        x = np.arange(12.0).reshape(1, 2, 3, 2)
        np.testing.assert_array_equal(double(x)[0, :, :, 1], np.kron(x[0, :, :, 1], np.ones((2, 2))))

    @parameterized.parameters((1, 1, 1, 1), (3, 4, 4, 5), (2, 3, 5, 2))
    def test_is_the_convolution_of_the_doubled_image(self, batch, height, width, channels):
        with jax.enable_x64(True):
            keys = jax.random.split(jax.random.PRNGKey(0), 3)
            x = jax.random.normal(keys[0], (batch, height, width, channels), jnp.float64)
            kernel = jax.random.normal(keys[1], (3, 3, channels, 4), jnp.float64)
            cotangent = jax.random.normal(keys[2], (batch, 2 * height, 2 * width, 4), jnp.float64)
            expected, pull = jax.vjp(lambda x, kernel: _convolve(double(x), kernel), x, kernel)
            found, pull_found = jax.vjp(convolve_doubled, x, kernel)
            chex.assert_trees_all_close(found, expected, rtol=1e-12, atol=1e-12)
            chex.assert_trees_all_close(pull_found(cotangent), pull(cotangent), rtol=1e-11, atol=1e-11)

    def test_has_the_parameters_of_a_convolution(self):
        w_init = hk.initializers.VarianceScaling(2.0, "fan_in", "truncated_normal")
        b_init = hk.initializers.RandomNormal()
        x = jax.random.normal(jax.random.PRNGKey(1), (2, 4, 4, 3))
        plain = hk.transform(lambda x: hk.Conv2D(5, 3, w_init=w_init, b_init=b_init, name="layer")(double(x)))
        doubled = hk.transform(lambda x: DoubledConv2D(5, w_init, b_init, name="layer")(x))
        params = plain.init(jax.random.PRNGKey(0), x)
        chex.assert_trees_all_equal(doubled.init(jax.random.PRNGKey(0), x), params)
        chex.assert_trees_all_close(doubled.apply(params, None, x), plain.apply(params, None, x), rtol=1e-4, atol=1e-5)


if __name__ == "__main__":
    absltest.main()
