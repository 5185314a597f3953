"""Tests of `hgn_jax.networks.upsampling`."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
from absl.testing import parameterized

from hgn_jax.networks.upsampling import convolve_doubled, double
from tests.hgn_jax.float64 import Float64TestCase


def _plain(x, kernel):
    dimensions = ("NHWC", "HWIO", "NHWC")
    return jax.lax.conv_general_dilated(double(x), kernel, (1, 1), "SAME", dimension_numbers=dimensions)


class UpsamplingTest(Float64TestCase):
    def test_double_repeats_every_pixel(self):
        x = np.arange(12.0).reshape(1, 2, 3, 2)
        np.testing.assert_array_equal(double(x)[0, :, :, 1], np.kron(x[0, :, :, 1], np.ones((2, 2))))

    @parameterized.parameters((1, 1, 1, 1), (2, 3, 5, 2))
    def test_fused_convolution_and_its_gradients_are_those_of_the_doubled_image(self, batch, height, width, channels):
        rng = np.random.default_rng(0)
        x = rng.normal(size=(batch, height, width, channels))
        kernel = rng.normal(size=(3, 3, channels, 4))
        cotangent = rng.normal(size=(batch, 2 * height, 2 * width, 4))

        def value_and_gradients(function):
            def compute(x, kernel, cotangent):
                value, pull_back = jax.vjp(function, x, kernel)
                return value, pull_back(cotangent)

            return jax.jit(compute)(x, kernel, cotangent)

        fused, expected = value_and_gradients(convolve_doubled), value_and_gradients(_plain)
        self.assertEqual(fused[0].dtype, jnp.float64)
        chex.assert_trees_all_close(fused, expected, rtol=1e-11, atol=1e-11)
