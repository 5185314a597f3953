"""Tests of `hgn_jax.networks.chunked_error`."""

import chex
import jax
import jax.numpy as jnp
from absl.testing import absltest, parameterized

from hgn_jax.networks import chunked_error
from hgn_jax.networks.chunked_error import squared_error
from tests.hgn_jax.float64 import Float64TestCase


def _decode(params, q):
    return jnp.tanh(q @ params["w"] + params["b"]).reshape(-1, 2, 3)


def _examples(n):
    keys = jax.random.split(jax.random.PRNGKey(0), 5)
    shapes = {"w": (4, 6), "b": (6,), "q": (n, 4), "images": (n, 2, 3), "weights": (n,)}
    w, b, *rest = (jax.random.normal(key, s, jnp.float64) for key, s in zip(keys, shapes.values(), strict=True))
    return {"w": w, "b": b}, *rest


def _plain_error(params, q, images, weights):
    return jnp.einsum("i,ijk->", weights, (_decode(params, q) - images) ** 2)


class SquaredErrorTest(Float64TestCase):
    def setUp(self):
        super().setUp()
        self.enter_context(absltest.mock.patch.object(chunked_error, "_MIN_CHUNK_SIZE", 3))

    # A single chunk, two chunks of unequal size, and the maximal number of chunks.
    @parameterized.parameters(1, 7, 50)
    def test_value_and_gradients_are_those_of_the_plain_error(self, n):
        def scaled(error):  # so that the cotangent is not 1
            return jax.jit(jax.value_and_grad(lambda *args: 3.0 * error(*args), (0, 1, 2, 3)))

        examples = _examples(n)
        chunked = scaled(lambda *args: squared_error(_decode, *args))(*examples)
        chex.assert_trees_all_close(chunked, scaled(_plain_error)(*examples), rtol=1e-10, atol=1e-10)

    def test_is_twice_differentiable(self):
        params, *rest = _examples(7)

        def gradient_of_gradient_norm(error):
            squared_norm = lambda p: sum(jnp.sum(x**2) for x in jax.tree.leaves(jax.grad(error)(p)))
            return jax.jit(jax.grad(squared_norm))(params)

        chex.assert_trees_all_close(
            gradient_of_gradient_norm(lambda p: squared_error(_decode, p, *rest)),
            gradient_of_gradient_norm(lambda p: _plain_error(p, *rest)),
            rtol=1e-10,
        )


class MemoryTest(absltest.TestCase):
    def test_holds_the_activations_of_one_chunk_on_a_cpu(self):
        if jax.default_backend() != "cpu":
            self.skipTest("accelerators take all images at once")
        n, width, depth = 100 * chunked_error._MIN_CHUNK_SIZE, 64, 8

        def decode(params, q):
            for w in params:
                q = jnp.sin(q @ w)
            return q

        def memory(error):
            array = lambda *shape: jax.ShapeDtypeStruct(shape, jnp.float32)
            args = [array(width, width)] * depth, array(n, width), array(n, width), array(n)
            return jax.jit(jax.grad(error, (0, 1))).lower(*args).compile().memory_analysis().temp_size_in_bytes

        in_chunks = memory(lambda *args: squared_error(decode, *args))
        at_once = memory(lambda p, q, images, w: jnp.einsum("i,ij->", w, (decode(p, q) - images) ** 2))
        self.assertLess(in_chunks, 0.5 * at_once)
