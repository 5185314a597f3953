"""Tests of upsampling and of the convolution that follows it."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
from absl.testing import absltest, parameterized

from hgn_jax.networks.upsampling import convolve_doubled, double


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


if __name__ == "__main__":
    absltest.main()
