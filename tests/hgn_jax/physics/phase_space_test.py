"""Tests of `hgn_jax.physics.phase_space`."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
from absl.testing import parameterized

from hgn_jax.physics.phase_space import PhaseState, check_state, flip_momentum


def _state(shape=(4, 3)):
    return PhaseState(*np.random.default_rng(0).normal(size=(2, *shape)).astype(np.float32))


class PhaseStateTest(parameterized.TestCase):
    def test_is_a_pytree_of_positions_then_momenta(self):
        q, p = state = _state()
        paths, structure = jax.tree_util.tree_flatten_with_path(state)
        self.assertEqual([jax.tree_util.keystr(path) for path, _ in paths], [".q", ".p"])
        rebuilt = jax.tree.unflatten(structure, [q, p])
        self.assertIsInstance(rebuilt, PhaseState)
        self.assertIs(rebuilt.q, state.q)
        self.assertIs(rebuilt.p, state.p)

    def test_passes_through_jit_vmap_scan_and_grad(self):
        state = _state()
        swap = lambda s: PhaseState(s.p, -s.q)  # a quarter turn: four of them are the identity
        last, path = jax.lax.scan(lambda s, _: (jax.vmap(swap)(s), s), state, None, length=4)
        self.assertIsInstance(path, PhaseState)
        self.assertEqual(path.q.shape, (4, 4, 3))
        chex.assert_trees_all_equal(last, state)
        gradient = jax.jit(jax.grad(lambda s: jnp.sum(s.q**2) + jnp.sum(3.0 * s.p)))(state)
        self.assertIsInstance(gradient, PhaseState)
        chex.assert_trees_all_close(gradient, PhaseState(2.0 * state.q, np.full((4, 3), 3.0, np.float32)), rtol=1e-6)

    @parameterized.parameters((), (1,), (5, 3, 2))
    def test_flip_negates_momenta_only(self, *shape):
        state = _state(shape)
        flipped = flip_momentum(state)
        self.assertIsInstance(flipped, PhaseState)
        np.testing.assert_array_equal(flipped.q, state.q)
        np.testing.assert_array_equal(flipped.p, -state.p)


class CheckStateTest(parameterized.TestCase):
    @parameterized.parameters(np.float64, np.float32, np.float16, jnp.bfloat16)
    def test_accepts_every_floating_type_and_tracers(self, dtype):
        state = PhaseState(np.ones((2, 3), dtype), np.ones((2, 3), dtype))
        check_state(state)
        jax.eval_shape(check_state, state)

    @parameterized.parameters(((2, 3), (3, 2)), ((4,), (4, 1)), ((4, 1), (1,)), ((), (1,)))
    def test_rejects_different_shapes(self, q_shape, p_shape):
        with self.assertRaisesRegex(AssertionError, "shape"):
            check_state(PhaseState(np.ones(q_shape), np.ones(p_shape)))

    @parameterized.parameters((np.int32, np.int32), (np.float32, np.int32), (np.bool_, np.float32))
    def test_rejects_types_without_a_gradient(self, q_type, p_type):
        with self.assertRaisesRegex(AssertionError, "type"):
            check_state(PhaseState(np.ones(2, q_type), np.ones(2, p_type)))
