"""Tests of `hgn_jax.networks.convolution`."""

import chex
import jax
import jax.numpy as jnp
from absl.testing import absltest, parameterized

from hgn_jax.networks import convolution
from hgn_jax.networks.convolution import convolve
from tests.hgn_jax.float64 import Float64TestCase

# name: batch, height, width, channels, filters.
_SHAPES = {
    "few_filters": (2, 4, 6, 11, 3),
    "many_filters": (3, 5, 4, 2, 7),
    "in_parts": (5, 4, 4, 3, 3),
    "few_filters_in_parts": (5, 4, 4, 11, 3),
    "one_pixel": (1, 1, 1, 8, 2),
}
_HIGHEST = (jax.lax.Precision.HIGHEST, jax.lax.Precision.HIGHEST)


def _lax(x, kernel):
    return jax.lax.conv_general_dilated(x, kernel, (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC"))


def _arrays(batch, height, width, channels, filters):
    """Images, kernel and cotangent."""
    shapes = ((batch, height, width, channels), (3, 3, channels, filters), (batch, height, width, filters))
    keys = jax.random.split(jax.random.PRNGKey(0), len(shapes))
    return [jax.random.normal(key, shape, jnp.float64) for key, shape in zip(keys, shapes, strict=True)]


def _value_and_gradients(function):
    def compute(x, kernel, cotangent):
        value, pull_back = jax.vjp(function, x, kernel)
        return value, pull_back(cotangent)

    return jax.jit(compute)


def _second_derivatives(function):
    """The gradient of the squared norm of a gradient."""

    def energy(x, kernel, direction):
        return (jnp.sin(function(x, kernel)) * direction).sum()

    def squared_norm(*args):
        return sum((g**2).sum() for g in jax.grad(energy, (0, 1))(*args))

    return jax.jit(jax.grad(squared_norm, (0, 1)))


class TunedTest(Float64TestCase):
    def setUp(self):
        super().setUp()
        # Parts of two images or one, with a remainder.
        self.enter_context(absltest.mock.patch.object(convolution, "_POSITIONS_PER_PART", 2 * 4 * 4))

    @parameterized.parameters(*_SHAPES)
    def test_value_and_gradients_are_those_of_lax(self, name):
        arrays = _arrays(*_SHAPES[name])
        tuned, expected = _value_and_gradients(convolve)(*arrays), _value_and_gradients(_lax)(*arrays)
        chex.assert_trees_all_close(tuned, expected, rtol=1e-11, atol=1e-11)

    @parameterized.parameters("few_filters", "in_parts")
    def test_second_derivatives_are_those_of_lax(self, name):
        arrays = _arrays(*_SHAPES[name])
        tuned, expected = _second_derivatives(convolve)(*arrays), _second_derivatives(_lax)(*arrays)
        chex.assert_trees_all_close(tuned, expected, rtol=1e-9, atol=1e-9)

    @parameterized.parameters(*_SHAPES)
    def test_gradients_have_the_requested_precision_too(self, name):
        arrays = _arrays(*_SHAPES[name])
        with jax.default_matmul_precision("highest"):
            jaxpr = jax.make_jaxpr(lambda x, kernel, cotangent: jax.vjp(convolve, x, kernel)[1](cotangent))(*arrays)
        products = [e for e in jaxpr.eqns if e.primitive.name in ("conv_general_dilated", "dot_general")]
        self.assertNotEmpty(products)
        for equation in products:
            self.assertEqual(equation.params["precision"], _HIGHEST)


class PlainTest(Float64TestCase):
    """Small inputs, and all inputs on other devices, use the plain convolution, also in forward mode."""

    @parameterized.parameters(("cpu", "few_filters"), ("gpu", "few_filters"), ("gpu", "many_filters"))
    def test_is_that_of_lax(self, backend, name):
        x, kernel, _ = _arrays(*_SHAPES[name])
        num_positions = 1 if backend == "gpu" else 1000
        with (
            absltest.mock.patch.object(jax, "default_backend", lambda: backend),
            absltest.mock.patch.object(convolution, "_POSITIONS_PER_PART", num_positions),
        ):
            jaxpr = jax.make_jaxpr(convolve)(x, kernel)
            _, tangent = jax.jit(lambda x, kernel: jax.jvp(convolve, (x, kernel), (x, kernel)))(x, kernel)
        self.assertEqual([equation.primitive.name for equation in jaxpr.eqns], ["conv_general_dilated"])
        chex.assert_trees_all_close(tangent, 2 * _lax(x, kernel), rtol=1e-12, atol=1e-12)
