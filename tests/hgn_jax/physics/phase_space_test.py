"""Tests of `hgn_jax.physics.phase_space`."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
from absl.testing import parameterized

from hgn_jax.physics.phase_space import PhaseState, as_state, flip_momentum, step_along


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

    def test_flips_every_array_of_a_pytree(self):
        flipped = flip_momentum(PhaseState({"a": 1.0, "b": 2.0}, {"a": 3.0, "b": 4.0}))
        self.assertEqual(flipped, PhaseState({"a": 1.0, "b": 2.0}, {"a": -3.0, "b": -4.0}))


class AsStateTest(parameterized.TestCase):
    @parameterized.parameters(np.float64, np.float32, np.float16, jnp.bfloat16)
    def test_accepts_every_floating_type_and_tracers(self, dtype):
        state = PhaseState(np.ones((2, 3), dtype), np.ones((2, 3), dtype))
        chex.assert_trees_all_equal(as_state(state), jax.tree.map(jnp.asarray, state))
        jax.eval_shape(as_state, state)

    def test_accepts_pairs_pytrees_and_numbers(self):
        q, p = _state()
        chex.assert_trees_all_equal(as_state((q, p)), PhaseState(q, p))
        nested = PhaseState({"a": q, "b": (p, 1.0)}, {"a": p, "b": (q, 2.0)})
        chex.assert_trees_all_equal(as_state(nested), nested)
        for pair in ((1.0, np.float32(2.0)), (np.float32(2.0), 1), (1.0, 2.0)):
            self.assertEqual([x.dtype for x in as_state(pair)], [jnp.float32] * 2)

    @parameterized.parameters(
        (np.ones((2, 3)), np.ones((3, 2)), r"same shape, got \(2, 3\) and \(3, 2\)"),
        (np.ones(4), np.ones((4, 1)), "same shape"),
        (np.ones(()), np.ones(1), "same shape"),
        ({"a": np.ones(2)}, {"a": np.ones(1)}, "same shape"),
        ({"a": np.ones(2)}, {"b": np.ones(2)}, "same structure"),
        ({"a": np.ones(2)}, np.ones(2), "same structure"),
        ((), (), "at least one array"),
        (np.ones(2, np.int32), np.ones(2, np.int32), "one floating-point type, got int32"),
        (np.ones(2, np.float32), np.ones(2, np.int32), "one floating-point type, got float32 and int32"),
        (np.ones(2, np.float32), np.ones(2, np.float16), "one floating-point type, got float16 and float32"),
        (np.ones(2, bool), np.ones(2, np.float32), "one floating-point type"),
        (np.ones(2, complex), np.ones(2, complex), "one floating-point type"),
        ({"a": np.ones(2, np.float16), "b": 1.0}, {"a": np.ones(2, np.float16), "b": 1.0}, "got float16 and float32"),
    )
    def test_refuses_unequal_halves_in_one_line(self, q, p, message):
        with self.assertRaisesRegex(ValueError, message) as caught:
            as_state(PhaseState(q, p))
        self.assertNotIn("\n", str(caught.exception))

    @parameterized.parameters(({"q": 1.0, "p": 2.0},), (1.0,), ((1.0, 2.0, 3.0),))
    def test_refuses_what_is_no_state(self, state):
        with self.assertRaisesRegex(ValueError, r"PhaseState\(q, p\) or a pair"):
            as_state(state)


class StepAlongTest(parameterized.TestCase):
    def test_factors_belong_to_the_leading_axes(self):
        x = {"a": jnp.zeros(2), "b": jnp.zeros((2, 2)), "c": jnp.zeros((2, 3, 2))}
        moved = step_along(x, jnp.array([1.0, 2.0]), jax.tree.map(jnp.ones_like, x))
        for leaf in jax.tree.leaves(moved):
            np.testing.assert_array_equal(leaf[0], np.ones(leaf.shape[1:]))
            np.testing.assert_array_equal(leaf[1], 2 * np.ones(leaf.shape[1:]))
