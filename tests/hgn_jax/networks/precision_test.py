"""Tests of `hgn_jax.networks.precision`, on a single network and on the networks of an HGN."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
from absl.testing import parameterized
from jax.extend.core import jaxprs_in_params
from jax.flatten_util import ravel_pytree

from hgn_jax import HGNConfig, PhaseState, make_hgn
from hgn_jax.networks.decoder import conv_decoder
from hgn_jax.networks.precision import PRECISIONS, in_precision

_HIGHEST = (jax.lax.Precision.HIGHEST, jax.lax.Precision.HIGHEST)
_KEY = jax.random.PRNGKey(0)
_FRAMES = jax.ShapeDtypeStruct((2, 5, 8, 8, 3), jnp.float32)


def _float32(*shape):
    return jax.ShapeDtypeStruct(shape, jnp.float32)


@functools.cache
def _hgn_and_params(precision):
    """A small HGN and the shapes of its parameters."""
    config = HGNConfig(
        image_size=8, state_channels=2, encoder_filters=(4, 4), transform_filters=(4,), hamiltonian_filters=(4,),
        decoder_filters=(4,), precision=precision, unroll=1,
    )  # fmt: skip
    hgn = make_hgn(config)
    return hgn, jax.eval_shape(hgn.init, _KEY, {"image": _FRAMES})


def _products(function, *args):
    """The equations of all convolutions and matrix products in a function."""

    def walk(jaxpr):
        for equation in jaxpr.eqns:
            if equation.primitive.name in ("conv_general_dilated", "dot_general"):
                yield equation
            for inner in jaxprs_in_params(equation.params):
                yield from walk(inner)

    return list(walk(jax.make_jaxpr(function)(*args).jaxpr))


class NetworkTest(parameterized.TestCase):
    @parameterized.parameters(("tensorfloat32", 1e-3), ("bfloat16", 3e-2))  # relative precisions of 5e-4 and 4e-3
    def test_outputs_and_gradients_are_near_those_of_full_precision(self, precision, tolerance):
        network = conv_decoder(8, (4,), 3, "sigmoid", "none")
        q = jax.random.normal(_KEY, (4, 4, 4, 2))
        params = jax.jit(network.init)(_KEY, q)

        def output_and_gradient(name):
            apply = in_precision(network, name).apply
            tree = jax.jit(lambda p: (apply(p, q), jax.grad(lambda p: (apply(p, q) ** 2).mean())(p)))(params)
            self.assertEqual({x.dtype for x in jax.tree.leaves(tree)}, {jnp.dtype(jnp.float32)})
            return [np.asarray(ravel_pytree(part)[0]) for part in tree]

        for values, expected in zip(output_and_gradient(precision), output_and_gradient("full"), strict=True):
            self.assertLess(np.linalg.norm(values - expected), tolerance * np.linalg.norm(expected))


class HGNTest(parameterized.TestCase):
    def test_configuration_allows_all_precisions(self):
        rule = HGNConfig.__dataclass_fields__["precision"].metadata["rule"]
        self.assertEqual(rule.description, f"one of {', '.join(PRECISIONS)}")

    @parameterized.parameters(*PRECISIONS)
    def test_parameters_and_outputs_are_those_of_full_precision(self, precision):
        hgn, params = _hgn_and_params(precision)
        self.assertEqual(params, _hgn_and_params("full")[1])
        self.assertEqual(jax.eval_shape(hgn.decode, params, _float32(1, 4, 4, 2)).dtype, jnp.float32)

    @parameterized.parameters(*PRECISIONS)
    def test_states_energies_and_their_rollout_are_in_full_precision(self, precision):
        hgn, params = _hgn_and_params(precision)

        def end(params, z):
            return sum(x.sum() for x in hgn.rollout(params, hgn.initial_state(params, z), 3))

        equations = _products(jax.grad(end), params, _float32(2, 4, 4, 4))
        self.assertNotEmpty(equations)
        for equation in equations:
            self.assertEqual(equation.params["precision"], _HIGHEST)
            self.assertEqual(equation.outvars[0].aval.dtype, jnp.float32)

    @parameterized.parameters(
        ("full", jnp.float32, _HIGHEST),
        ("tensorfloat32", jnp.float32, (jax.lax.Precision.HIGH, jax.lax.Precision.HIGH)),
        ("bfloat16", jnp.bfloat16, (jax.lax.Precision.DEFAULT, jax.lax.Precision.DEFAULT)),
    )
    def test_encoder_and_decoder_and_their_gradients_are_in_the_configured_precision(self, precision, dtype, expected):
        hgn, params = _hgn_and_params(precision)
        decode = jax.grad(lambda params, q: (hgn.decode(params, q) ** 2).sum(), argnums=(0, 1))
        encode = jax.grad(lambda params, frames: (hgn.infer(params, frames).mean ** 2).sum())
        products = _products(decode, params, _float32(3, 4, 4, 2)) + _products(encode, params, _FRAMES)
        convolutions = [equation for equation in products if equation.primitive.name == "conv_general_dilated"]
        self.assertGreater(len(convolutions), 15)
        for equation in convolutions:
            self.assertEqual(equation.outvars[0].aval.dtype, dtype)
            self.assertEqual(equation.params["precision"], expected)

    def test_full_precision_is_that_of_the_parameters(self):
        with jax.enable_x64(True):
            hgn, params = _hgn_and_params("full")
            params = jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape, jnp.float64), params)
            q = jax.ShapeDtypeStruct((1, 4, 4, 2), jnp.float64)
            for network in (hgn.decode, lambda params, q: hgn.hamiltonian(params)(PhaseState(q, q))):
                self.assertEqual(jax.eval_shape(network, params, q).dtype, jnp.float64)
