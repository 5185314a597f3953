"""Tests of `hgn_jax.physics.phase_space`."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
from absl.testing import absltest, parameterized

from hgn_jax.physics.phase_space import PhaseState, check_state, flip_momentum


def _state(shape=(4, 3), seed=0):
    q, p = np.random.default_rng(seed).normal(size=(2, *shape)).astype(np.float32)
    return PhaseState(jnp.asarray(q), jnp.asarray(p))


class PhaseStateTest(parameterized.TestCase):
    def test_is_a_pytree_of_positions_then_momenta(self):
        state = _state()
        leaves, structure = jax.tree.flatten(state)
        self.assertLen(leaves, 2)
        self.assertIs(leaves[0], state.q)
        self.assertIs(leaves[1], state.p)
        rebuilt = jax.tree.unflatten(structure, leaves)
        self.assertIsInstance(rebuilt, PhaseState)
        paths = [jax.tree_util.keystr(path) for path, _ in jax.tree_util.tree_leaves_with_path(state)]
        self.assertEqual(paths, [".q", ".p"])

    def test_unpacks_as_position_and_momentum(self):
        state = _state()
        q, p = state
        self.assertIs(q, state.q)
        self.assertIs(p, state.p)

    def test_passes_through_jit_vmap_and_scan(self):
        state = _state()
        swap = lambda s: PhaseState(s.p, -s.q)  # a quarter turn: four of them are the identity
        chex.assert_trees_all_equal(jax.jit(swap)(state), swap(state))
        chex.assert_trees_all_equal(jax.vmap(swap)(state), swap(state))
        last, path = jax.lax.scan(lambda s, _: (swap(s), s), state, None, length=4)
        self.assertIsInstance(path, PhaseState)
        self.assertEqual(path.q.shape, (4, 4, 3))
        chex.assert_trees_all_equal(last, state)

    def test_gradient_is_a_phase_state(self):
        state = _state()
        gradient = jax.grad(lambda s: jnp.sum(s.q**2) + jnp.sum(3.0 * s.p))(state)
        self.assertIsInstance(gradient, PhaseState)
        np.testing.assert_allclose(gradient.q, 2.0 * state.q, rtol=1e-6)
        np.testing.assert_allclose(gradient.p, np.full((4, 3), 3.0), rtol=1e-6)


class FlipMomentumTest(parameterized.TestCase):
    @parameterized.parameters((), (1,), (5, 3, 2))
    def test_negates_momenta_only(self, *shape):
        state = _state(shape)
        flipped = flip_momentum(state)
        self.assertIsInstance(flipped, PhaseState)
        np.testing.assert_array_equal(flipped.q, np.asarray(state.q))
        np.testing.assert_array_equal(flipped.p, -np.asarray(state.p))

    def test_twice_is_the_identity(self):
        state = _state()
        chex.assert_trees_all_equal(flip_momentum(flip_momentum(state)), state)


class CheckStateTest(parameterized.TestCase):
    @parameterized.parameters(jnp.float32, jnp.float16, jnp.bfloat16)
    def test_accepts_every_floating_type(self, dtype):
        check_state(PhaseState(jnp.ones((2, 3), dtype), jnp.ones((2, 3), dtype)))

    def test_accepts_float64(self):
        check_state(PhaseState(np.ones((2, 3)), np.ones((2, 3))))

    def test_accepts_tracers(self):
        def checked(state):
            check_state(state)
            return state

        chex.assert_trees_all_equal(jax.jit(checked)(_state()), _state())

    @parameterized.parameters(((2, 3), (3, 2)), ((4,), (4, 1)), ((4, 1), (1,)), ((), (1,)))
    def test_rejects_different_shapes(self, q_shape, p_shape):
        with self.assertRaisesRegex(AssertionError, "shape"):
            check_state(PhaseState(jnp.ones(q_shape), jnp.ones(p_shape)))

    @parameterized.parameters((jnp.int32, jnp.int32), (jnp.float32, jnp.int32), (jnp.bool_, jnp.float32))
    def test_rejects_types_without_a_gradient(self, q_type, p_type):
        with self.assertRaisesRegex(AssertionError, "type"):
            check_state(PhaseState(jnp.ones(2, q_type), jnp.ones(2, p_type)))


if __name__ == "__main__":
    absltest.main()
