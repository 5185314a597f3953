"""Tests of the squared error of decoded images."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
from absl.testing import absltest, parameterized

from hgn_jax.networks import chunked_error
from hgn_jax.networks.chunked_error import squared_error


def _decode(params, q):
    return jnp.tanh(q @ params["w"] + params["b"]).reshape(-1, 2, 3)


def _examples(n):
    keys = jax.random.split(jax.random.PRNGKey(0), 5)
    normal = lambda key, *shape: jax.random.normal(key, shape, jnp.float64)  # noqa: E731
    params = {"w": normal(keys[0], 4, 6), "b": normal(keys[1], 6)}
    return params, normal(keys[2], n, 4), normal(keys[3], n, 2, 3), jax.random.uniform(keys[4], (n,), jnp.float64)


def _at_once(params, q, images, weights):
    return jnp.einsum("i,ijk->", weights, (_decode(params, q) - images) ** 2)


class SquaredErrorTest(parameterized.TestCase):
    @parameterized.parameters(1, 20, 96, 149, 1000)
    def test_value_and_gradients_are_those_of_all_at_once(self, n):
        with jax.enable_x64(True):
            examples = _examples(n)
            expected = jax.value_and_grad(_at_once, (0, 1, 2, 3))(*examples)
            found = jax.jit(jax.value_and_grad(lambda *x: 3.0 * squared_error(_decode, *x), (0, 1, 2, 3)))(*examples)
            chex.assert_trees_all_close(found, jax.tree.map(lambda x: 3.0 * x, expected), rtol=1e-10)
            np.testing.assert_allclose(squared_error(_decode, *examples), expected[0], rtol=1e-10)

    def test_twice_differentiable(self):
        with jax.enable_x64(True):
            params, *rest = _examples(150)
            gradient_norm = lambda error: lambda p: sum(map(jnp.vdot, *[jax.tree.leaves(jax.grad(error)(p))] * 2))  # noqa: E731
            chex.assert_trees_all_close(
                jax.grad(gradient_norm(lambda p: squared_error(_decode, p, *rest)))(params),
                jax.grad(gradient_norm(lambda p: _at_once(p, *rest)))(params), rtol=1e-10,
            )  # fmt: skip

    def test_holds_the_activations_of_a_chunk_on_a_cpu(self):
        n, width, depth = 100 * chunked_error._MIN_CHUNK_SIZE, 64, 8

        def decode(params, q):
            for w in params:
                q = jnp.sin(q @ w)
            return q

        def memory(error):
            shapes = [jax.ShapeDtypeStruct((width, width), jnp.float32)] * depth, *[(n, width)] * 2, (n,)
            shapes = [shapes[0], *(jax.ShapeDtypeStruct(shape, jnp.float32) for shape in shapes[1:])]
            return jax.jit(jax.grad(error, (0, 1))).lower(*shapes).compile().memory_analysis().temp_size_in_bytes

        in_chunks = memory(lambda *x: squared_error(decode, *x))
        at_once = memory(lambda p, q, images, w: jnp.einsum("i,ij->", w, (decode(p, q) - images) ** 2))
        if jax.default_backend() == "cpu":
            self.assertLess(in_chunks, 0.5 * at_once)


if __name__ == "__main__":
    absltest.main()
