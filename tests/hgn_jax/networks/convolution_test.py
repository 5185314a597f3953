"""Tests of `hgn_jax.networks.convolution`."""

import chex
import jax
import jax.numpy as jnp
from absl.testing import absltest, parameterized

from hgn_jax.networks import convolution
from hgn_jax.networks.convolution import convolve

_SHAPES = {
    "few_filters": (2, 4, 6, 11, 3),
    "one_pixel": (1, 1, 1, 8, 2),
    "many_filters": (3, 5, 4, 2, 7),
    "in_parts": (5, 4, 4, 3, 3),
    "few_filters_in_parts": (5, 4, 4, 11, 3),
}


def _lax(x, kernel):
    return jax.lax.conv_general_dilated(x, kernel, (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC"))


def _drawn(batch, height, width, channels, filters):
    shapes = ((batch, height, width, channels), (3, 3, channels, filters), (batch, height, width, filters))
    keys = jax.random.split(jax.random.PRNGKey(0), len(shapes))
    return [jax.random.normal(key, shape, jnp.float64) for key, shape in zip(keys, shapes, strict=True)]


class ConvolutionTest(parameterized.TestCase):
    def setUp(self):
        super().setUp()
        self.enter_context(jax.enable_x64(True))
        # Parts of two images or one, with a remainder.
        self.enter_context(absltest.mock.patch.object(convolution, "_POSITIONS_PER_PART", 2 * 4 * 4))

    @parameterized.parameters(*_SHAPES)
    def test_it_and_its_gradients_are_those_of_lax(self, name):
        x, kernel, cotangent = _drawn(*_SHAPES[name])
        expected, pull = jax.vjp(_lax, x, kernel)
        found, pull_found = jax.vjp(convolve, x, kernel)
        chex.assert_trees_all_close(found, expected, rtol=1e-12, atol=1e-12)
        chex.assert_trees_all_close(pull_found(cotangent), pull(cotangent), rtol=1e-11, atol=1e-11)

    @parameterized.parameters(*_SHAPES)
    def test_precision_is_as_told_in_gradients_too(self, name):
        x, kernel, _ = _drawn(*_SHAPES[name])
        with jax.default_matmul_precision("highest"):
            pull = jax.vjp(convolve, x, kernel)[1]
        jaxpr = jax.make_jaxpr(pull)(convolve(x, kernel))
        products = [e for e in jaxpr.eqns if e.primitive.name in ("conv_general_dilated", "dot_general")]
        self.assertNotEmpty(products)
        for equation in products:
            self.assertEqual(equation.params["precision"], 2 * (jax.lax.Precision.HIGHEST,))

    def test_few_pixels_are_in_forward_mode_too(self):
        x, kernel, _ = _drawn(1, 5, 6, 3, 3)
        with absltest.mock.patch.object(convolution, "_POSITIONS_PER_PART", 31):
            tangent = jax.jvp(convolve, (x, kernel), (x, kernel))[1]
        chex.assert_trees_all_close(tangent, 2 * _lax(x, kernel), rtol=1e-12, atol=1e-12)

    @parameterized.parameters("few_filters", "in_parts")
    def test_second_derivatives_are_those_of_lax(self, name):
        x, kernel, direction = _drawn(*_SHAPES[name])

        def of_gradient(function):
            def energy(x, kernel):
                return (jnp.sin(function(x, kernel)) * direction).sum()

            return jax.grad(lambda *args: sum((g**2).sum() for g in jax.grad(energy, (0, 1))(*args)), (0, 1))(x, kernel)

        chex.assert_trees_all_close(of_gradient(convolve), of_gradient(_lax), rtol=1e-9, atol=1e-9)

    @parameterized.parameters("few_filters", "many_filters")
    def test_elsewhere_it_is_that_of_lax(self, name):
        x, kernel, _ = _drawn(*_SHAPES[name])
        with absltest.mock.patch.object(jax, "default_backend", lambda: "gpu"):
            jaxpr = jax.make_jaxpr(convolve)(x, kernel)
            tangent = jax.jvp(convolve, (x, kernel), (x, kernel))[1]
        self.assertEqual([equation.primitive.name for equation in jaxpr.eqns], ["conv_general_dilated"])
        chex.assert_trees_all_close(tangent, 2 * _lax(x, kernel), rtol=1e-12, atol=1e-12)


if __name__ == "__main__":
    absltest.main()
