"""Tests of `benchmarks.train_step`."""

import jax
import jax.numpy as jnp
from absl.testing import parameterized

from benchmarks.train_step import count_flops


def _convolve(x, w, padding="VALID", stride=1):
    return jax.lax.conv_general_dilated(x, w, (stride, stride), padding, dimension_numbers=("NHWC", "HWIO", "NHWC"))


class CountFlopsTest(parameterized.TestCase):
    def setUp(self):
        super().setUp()
        self.x, self.w = jnp.ones((2, 8, 8, 3)), jnp.ones((3, 3, 3, 5))

    def test_matrix_product(self):
        self.assertEqual(count_flops(lambda a, b: a @ b, jnp.ones((4, 5)), jnp.ones((5, 6))), 2 * 4 * 5 * 6)

    def test_convolution_and_its_gradients_cost_the_same(self):
        flops = 2 * 2 * 6 * 6 * 9 * 3 * 5
        self.assertEqual(count_flops(_convolve, self.x, self.w), flops)
        self.assertEqual(count_flops(jax.grad(lambda w: _convolve(self.x, w).sum()), self.w), flops)
        self.assertEqual(count_flops(jax.grad(lambda x: _convolve(x, self.w).sum()), self.x), flops)

    def test_padding_is_not_counted(self):
        taps = 3 * 8 - 2  # per axis; the first and the last position reach beyond the edge by one
        self.assertEqual(count_flops(lambda x: _convolve(x, self.w, "SAME"), self.x), 2 * 2 * taps**2 * 3 * 5)

    def test_strides(self):
        self.assertEqual(count_flops(lambda x: _convolve(x, self.w, stride=2), self.x), 2 * 2 * 3 * 3 * 9 * 3 * 5)

    def test_a_scan_counts_once_per_iteration(self):
        def power(a):
            return jax.lax.scan(lambda carry, _: (carry @ a, None), a, None, length=7)[0]

        self.assertEqual(count_flops(power, jnp.ones((4, 4))), 7 * 2 * 4**3)

    def test_unused_results_are_not_counted(self):
        def wasteful(a):
            product = a @ a
            return (a + 0 * product.shape[0]).sum()

        self.assertEqual(count_flops(wasteful, jnp.ones((4, 4))), 0)
