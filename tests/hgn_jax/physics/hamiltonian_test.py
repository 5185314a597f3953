"""Tests of `hgn_jax.physics.hamiltonian`."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
from absl.testing import absltest, parameterized
from hypothesis import given, settings
from hypothesis import strategies as st

from hgn_jax.physics import systems
from hgn_jax.physics.hamiltonian import SeparableHamiltonian, force, separable, vector_field, velocity
from hgn_jax.physics.phase_space import PhaseState

_BATCH = 5


def _random_state(shape, seed=0):
    q, p = np.random.default_rng(seed).normal(size=(2, *shape))
    return PhaseState(jnp.asarray(q), jnp.asarray(p))


def _gravity(q, m, g):
    """Newton's law written as a double loop, for one configuration `[n, 2]`."""
    total = np.zeros_like(q)
    for i in range(len(q)):
        for j in range(len(q)):
            if i != j:
                separation = q[j] - q[i]
                total[i] += g * m[i] * m[j] * separation / np.linalg.norm(separation) ** 3
    return total


# name: (system, hand-derived (dq/dt, dp/dt) in NumPy).
_FIELDS = {
    "mass_spring": (systems.mass_spring(k=2.0, m=0.5), lambda q, p: (p / 0.5, -2.0 * q)),
    "pendulum": (systems.pendulum(m=0.5, g=3.0, l=1.2), lambda q, p: (p / 0.72, -3.6 * np.sin(q))),
    "textbook_pendulum": (
        systems.pendulum(m=0.5, g=3.0, l=1.2, potential_factor=1.0),
        lambda q, p: (p / 0.72, -1.8 * np.sin(q)),
    ),
    "two_body": (
        systems.two_body(m=1.5, g=0.7),
        lambda q, p: (p / 1.5, np.stack([_gravity(x, [1.5, 1.5], 0.7) for x in q])),
    ),
    "three_body": (
        systems.three_body(m=np.array([0.5, 1.0, 4.0]), g=0.7),
        lambda q, p: (p / np.array([[0.5], [1.0], [4.0]]), np.stack([_gravity(x, [0.5, 1.0, 4.0], 0.7) for x in q])),
    ),
}


def _random_weights(seed=0, width=16):
    return np.random.default_rng(seed).normal(size=(2, 8, width)) / 2.0


def _network(weights):
    """A random softplus network with a joint energy over states `[..., 4]`, like those that are learned."""
    first, second = weights

    def hamiltonian(state):
        features = jnp.concatenate([state.q, state.p], axis=-1)
        return jnp.sum(jax.nn.softplus(features @ first) * jnp.sin(features @ second), axis=-1)

    return hamiltonian


@jax.jit
def _power_and_divergence(weights, state):
    """dH/dt along the vector field of a network, and the divergence of that field."""
    hamiltonian = _network(weights)
    field = vector_field(hamiltonian)
    _, power = jax.jvp(hamiltonian, (state,), (field(state),))
    jacobian = jax.jacfwd(field)(state)
    return power, jnp.trace(jacobian.q.q) + jnp.trace(jacobian.p.p)


class Float64TestCase(parameterized.TestCase):
    def setUp(self):
        super().setUp()
        self.enter_context(jax.enable_x64(True))


class VectorFieldTest(Float64TestCase):
    @parameterized.parameters(*_FIELDS)
    def test_is_the_hand_derived_field(self, name):
        system, by_hand = _FIELDS[name]
        state = _random_state((_BATCH, *system.state_shape))
        field = vector_field(system.hamiltonian)(state)
        self.assertIsInstance(field, PhaseState)
        dq_dt, dp_dt = by_hand(np.asarray(state.q), np.asarray(state.p))
        np.testing.assert_allclose(field.q, dq_dt, rtol=1e-12, atol=1e-12)
        np.testing.assert_allclose(field.p, dp_dt, rtol=1e-12, atol=1e-12)

    @parameterized.parameters(*_FIELDS)
    def test_is_the_finite_difference_of_the_energy(self, name):
        system, _ = _FIELDS[name]
        state = _random_state(system.state_shape, seed=1)
        field = vector_field(system.hamiltonian)(state)
        size, step = state.q.size, 1e-5
        shifts = step * np.eye(2 * size).reshape(2 * size, 2, *system.state_shape)

        def energies(shifts):
            return np.asarray(system.hamiltonian(PhaseState(state.q + shifts[:, 0], state.p + shifts[:, 1])))

        slopes = (energies(shifts) - energies(-shifts)) / (2.0 * step)
        np.testing.assert_allclose(field.p.ravel(), -slopes[:size], rtol=1e-6, atol=1e-7)
        np.testing.assert_allclose(field.q.ravel(), slopes[size:], rtol=1e-6, atol=1e-7)

    def test_of_a_joint_hamiltonian(self):
        state = _random_state((_BATCH, 1))
        field = vector_field(lambda s: jnp.sum((s.q**2 + 1.0) * (s.p**2 + 1.0) / 2.0, axis=-1))(state)
        q, p = np.asarray(state.q), np.asarray(state.p)
        np.testing.assert_allclose(field.q, (q**2 + 1.0) * p, rtol=1e-12)
        np.testing.assert_allclose(field.p, -(p**2 + 1.0) * q, rtol=1e-12)

    @parameterized.parameters(*_FIELDS)
    def test_batch_elements_are_independent(self, name):
        system, _ = _FIELDS[name]
        field = jax.jit(vector_field(system.hamiltonian))
        state = _random_state((_BATCH, *system.state_shape))
        moved = PhaseState(state.q.at[2].multiply(1.5), state.p.at[2].add(1.0))
        others = np.array([0, 1, 3, 4])
        before, after = field(state), field(moved)
        chex.assert_trees_all_equal(jax.tree.map(lambda x: x[others], before), jax.tree.map(lambda x: x[others], after))
        self.assertGreater(np.max(np.abs(before.q[2] - after.q[2])), 1e-3)
        self.assertGreater(np.max(np.abs(before.p[2] - after.p[2])), 1e-3)
        chex.assert_trees_all_close(jax.vmap(field)(state), before, rtol=1e-14)

    @parameterized.parameters(*_FIELDS)
    def test_velocity_and_force_are_its_halves(self, name):
        hamiltonian = _FIELDS[name][0].hamiltonian
        state = _random_state((_BATCH, *_FIELDS[name][0].state_shape))
        field = vector_field(hamiltonian)(state)
        np.testing.assert_array_equal(velocity(hamiltonian)(state), field.q)
        np.testing.assert_array_equal(force(hamiltonian)(state), field.p)

    def test_velocity_and_force_of_a_joint_hamiltonian(self):
        hamiltonian, state = _network(_random_weights()), _random_state((_BATCH, 4))
        field = vector_field(hamiltonian)(state)
        np.testing.assert_allclose(velocity(hamiltonian)(state), field.q, rtol=1e-13)
        np.testing.assert_allclose(force(hamiltonian)(state), field.p, rtol=1e-13)

    @settings(max_examples=25, deadline=None, derandomize=True)
    @given(seed=st.integers(0, 2**16))
    def test_conserves_energy_and_phase_space_volume(self, seed):
        """Along any Hamiltonian field dH/dt = 0 and, by Liouville's theorem, the divergence vanishes."""
        power, divergence = _power_and_divergence(_random_weights(seed), _random_state((4,), seed))
        self.assertAlmostEqual(float(power), 0.0, delta=1e-11)
        self.assertAlmostEqual(float(divergence), 0.0, delta=1e-11)

    def test_keeps_float32(self):
        for system, _ in _FIELDS.values():
            state = jax.tree.map(lambda x: x.astype(jnp.float32), _random_state((2, *system.state_shape)))
            field = jax.eval_shape(vector_field(system.hamiltonian), state)
            self.assertEqual((field.q.dtype, field.p.dtype), (jnp.float32, jnp.float32), system.name)

    def test_compiles_and_differentiates(self):
        hamiltonian, state = _network(_random_weights()), _random_state((_BATCH, 4))
        field = vector_field(hamiltonian)
        chex.assert_trees_all_close(jax.jit(field)(state), field(state), rtol=1e-12, atol=1e-12)
        loss = jax.jit(lambda q, p: sum(jnp.sum(x**2) for x in field(PhaseState(q, p))))
        chex.assert_numerical_grads(loss, state, order=1, atol=1e-6, rtol=1e-6)


class SeparableTest(Float64TestCase):
    def test_is_the_sum_of_the_halves_it_knows(self):
        kinetic = lambda p: jnp.sum(jnp.cosh(p), axis=-1)
        potential = lambda q: jnp.sum(q**4, axis=-1)
        hamiltonian = separable(kinetic, potential)
        self.assertIsInstance(hamiltonian, SeparableHamiltonian)
        self.assertIs(hamiltonian.kinetic, kinetic)
        self.assertIs(hamiltonian.potential, potential)
        state = _random_state((_BATCH, 3))
        q, p = np.asarray(state.q), np.asarray(state.p)
        energy = hamiltonian(state)
        self.assertEqual(energy.shape, (_BATCH,))
        np.testing.assert_allclose(energy, np.cosh(p).sum(-1) + (q**4).sum(-1), rtol=1e-13)
        np.testing.assert_allclose(velocity(hamiltonian)(state), np.sinh(p), rtol=1e-13)
        np.testing.assert_allclose(force(hamiltonian)(state), -4.0 * q**3, rtol=1e-13)

    def test_velocity_ignores_positions_and_force_ignores_momenta(self):
        hamiltonian = systems.three_body().hamiltonian
        here, there = _random_state((3, 2), seed=0), _random_state((3, 2), seed=1)
        mixed = PhaseState(here.q, there.p)
        np.testing.assert_array_equal(force(hamiltonian)(mixed), force(hamiltonian)(here))
        np.testing.assert_array_equal(velocity(hamiltonian)(mixed), velocity(hamiltonian)(there))


if __name__ == "__main__":
    absltest.main()
