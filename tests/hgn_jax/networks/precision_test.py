"""Tests of the precision in which networks compute."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
from absl.testing import absltest, parameterized
from jax.extend.core import jaxprs_in_params
from jax.flatten_util import ravel_pytree

from hgn_jax import HGNConfig, PhaseState, make_hgn
from hgn_jax.models.hgn_config import _CHOICES
from hgn_jax.networks.precision import PRECISIONS

_HIGHEST = (jax.lax.Precision.HIGHEST, jax.lax.Precision.HIGHEST)
_KEY = jax.random.PRNGKey(0)
_BATCH = {"image": np.random.default_rng(0).uniform(size=(2, 5, 8, 8, 3)).astype(np.float32)}


def _made(precision):
    config = HGNConfig(
        image_size=8, state_channels=2, encoder_filters=(4, 4), transform_filters=(4,), hamiltonian_filters=(4,),
        decoder_filters=(4,), precision=precision, unroll=1,
    )  # fmt: skip
    hgn = make_hgn(config)
    return hgn, jax.eval_shape(hgn.init, _KEY, _BATCH)


@functools.cache
def _params():
    """Parameters drawn for the shapes: initial ones take a while to compile."""
    rng = np.random.default_rng(1)

    def drawn(x):
        return jnp.asarray(rng.normal(size=x.shape) / max(1.0, np.prod(x.shape[:-1]) ** 0.5), jnp.float32)

    return jax.tree.map(drawn, _made("full")[1])


@functools.cache
def _loss_and_gradient(precision):
    objective = jax.value_and_grad(lambda params: _made(precision)[0].loss(params, 1e3, _KEY, _BATCH)[0])
    loss, gradient = jax.jit(objective)(_params())
    return loss, gradient


def _products(function, *args):
    """The equations of all convolutions and matrix products in it."""

    def inside(jaxpr):
        for equation in jaxpr.eqns:
            if equation.primitive.name in ("conv_general_dilated", "dot_general"):
                yield equation
            for inner in jaxprs_in_params(equation.params):
                yield from inside(inner)

    return list(inside(jax.make_jaxpr(function)(*args).jaxpr))


class PrecisionTest(parameterized.TestCase):
    def test_the_configuration_knows_them_all(self):
        self.assertCountEqual(_CHOICES["precision"], PRECISIONS)

    @parameterized.parameters(*PRECISIONS)
    def test_parameters_do_not_depend_on_it(self, precision):
        shapes = [[(x.shape, x.dtype) for x in jax.tree.leaves(_made(name)[1])] for name in (precision, "full")]
        self.assertEqual(*shapes)

    @parameterized.parameters(*PRECISIONS)
    def test_states_energies_and_their_rollout_are_in_full_precision(self, precision):
        hgn, _ = _made(precision)

        def end(params, z):
            return sum(x.sum() for x in hgn.rollout(params, hgn.initial_state(params, z), 3))

        equations = _products(jax.grad(end), _params(), jnp.ones((2, 4, 4, 4)))
        self.assertNotEmpty(equations)
        for equation in equations:
            self.assertEqual(equation.params["precision"], _HIGHEST)
            self.assertEqual(equation.outvars[0].aval.dtype, jnp.float32)

    @parameterized.parameters(
        ("full", jnp.float32, _HIGHEST),
        ("tensorfloat32", jnp.float32, (jax.lax.Precision.HIGH, jax.lax.Precision.HIGH)),
        ("bfloat16", jnp.bfloat16, (jax.lax.Precision.DEFAULT, jax.lax.Precision.DEFAULT)),
    )
    def test_encoder_and_decoder_and_their_gradients_compute_as_told(self, precision, dtype, precisions):
        hgn, _ = _made(precision)
        decode = jax.grad(lambda params, q: (hgn.decode(params, q) ** 2).sum(), argnums=(0, 1))
        encode = jax.grad(lambda params, frames: (hgn.infer(params, frames).mean ** 2).sum())
        of_decoder = _products(decode, _params(), jnp.ones((3, 4, 4, 2)))
        of_encoder = _products(encode, _params(), _BATCH["image"])
        convolutions = [e for e in of_decoder + of_encoder if e.primitive.name == "conv_general_dilated"]
        self.assertGreater(len(convolutions), 15)
        for equation in convolutions:
            self.assertEqual(equation.outvars[0].aval.dtype, dtype)
            self.assertEqual(equation.params["precision"], precisions)

    @parameterized.parameters(*PRECISIONS)
    def test_what_comes_out_and_its_gradient_are_in_the_precision_of_the_parameters(self, precision):
        hgn, _ = _made(precision)
        self.assertEqual(hgn.decode(_params(), jnp.ones((1, 4, 4, 2))).dtype, jnp.float32)
        _, gradient = _loss_and_gradient(precision)
        self.assertEqual({x.dtype for x in jax.tree.leaves(gradient)}, {jnp.dtype(jnp.float32)})

    @parameterized.parameters(("tensorfloat32", 1e-3), ("bfloat16", 3e-2))  # relative precisions of 5e-4 and 4e-3
    def test_loss_and_gradient_are_near_those_of_full_precision(self, precision, tolerance):
        (loss, gradient), (expected, of_full) = map(_loss_and_gradient, (precision, "full"))
        np.testing.assert_allclose(loss, expected, rtol=tolerance)
        found, wanted = (np.asarray(ravel_pytree(tree)[0]) for tree in (gradient, of_full))
        self.assertLess(np.linalg.norm(found - wanted), tolerance * np.linalg.norm(wanted))

    def test_full_precision_is_that_of_the_parameters(self):
        with jax.enable_x64(True):
            hgn, _ = _made("full")
            params = jax.tree.map(lambda x: jnp.asarray(x, jnp.float64), _params())
            for network in (hgn.decode, lambda params, q: hgn.hamiltonian(params)(PhaseState(q, q))):
                self.assertEqual(jax.eval_shape(network, params, jnp.ones((1, 4, 4, 2))).dtype, jnp.float64)


if __name__ == "__main__":
    absltest.main()
