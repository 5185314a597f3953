"""Tests of `hgn_jax.physics.hamiltonian`."""

import functools

import chex
import jax
import jax.numpy as jnp
import numpy as np
from absl.testing import parameterized
from hypothesis import given
from hypothesis import strategies as st

from hgn_jax.physics import systems
from hgn_jax.physics.hamiltonian import SeparableHamiltonian, force, separable, vector_field, velocity
from hgn_jax.physics.phase_space import PhaseState
from tests.hgn_jax.float64 import Float64TestCase
from tests.hgn_jax.physics.newton import gravity_force

_BATCH = 5
_MASSES = np.array([0.5, 1.0, 4.0])


def _random_state(shape, seed=0):
    return PhaseState(*np.random.default_rng(seed).normal(size=(2, *shape)))


def _joint(state):
    return jnp.sum((state.q**2 + 1.0) * (state.p**2 + 1.0) / 2.0, axis=-1)


# name: (Hamiltonian, shape of a state, (dq/dt, dp/dt) derived by hand in NumPy).
_FIELDS = {
    "mass_spring": (systems.mass_spring(k=2.0, m=0.5).hamiltonian, (1,), lambda q, p: (p / 0.5, -2.0 * q)),
    "pendulum": (
        systems.pendulum(m=0.5, g=3.0, l=1.2).hamiltonian, (1,), lambda q, p: (p / 0.72, -3.6 * np.sin(q)),
    ),
    "textbook_pendulum": (
        systems.pendulum(m=0.5, g=3.0, l=1.2, potential_factor=1.0).hamiltonian, (1,),
        lambda q, p: (p / 0.72, -1.8 * np.sin(q)),
    ),
    "two_body": (
        systems.two_body(m=1.5, g=0.7).hamiltonian, (2, 2),
        lambda q, p: (p / 1.5, np.stack([gravity_force(x, [1.5, 1.5], 0.7) for x in q])),
    ),
    "three_body": (
        systems.three_body(m=_MASSES, g=0.7).hamiltonian, (3, 2),
        lambda q, p: (p / _MASSES[:, None], np.stack([gravity_force(x, _MASSES, 0.7) for x in q])),
    ),
    "joint": (_joint, (2,), lambda q, p: ((q**2 + 1.0) * p, -(p**2 + 1.0) * q)),
}  # fmt: skip


@functools.partial(jax.jit, static_argnames="name")
def _compute(name, state):
    """The field, its two halves and the field mapped over single states."""
    hamiltonian = _FIELDS[name][0]
    field = vector_field(hamiltonian)
    return field(state), PhaseState(velocity(hamiltonian)(state), force(hamiltonian)(state)), jax.vmap(field)(state)


@parameterized.parameters(*_FIELDS)
class VectorFieldTest(Float64TestCase):
    def test_is_the_field_derived_by_hand(self, name):
        _, shape, by_hand = _FIELDS[name]
        state = _random_state((_BATCH, *shape))
        field, halves, mapped = _compute(name, state)
        self.assertIsInstance(field, PhaseState)
        chex.assert_trees_all_close(field, PhaseState(*by_hand(*state)), rtol=1e-12, atol=1e-12)
        chex.assert_trees_all_close(halves, field, rtol=1e-13)
        chex.assert_trees_all_close(mapped, field, rtol=1e-13)

    def test_batch_elements_are_independent(self, name):
        state = _random_state((_BATCH, *_FIELDS[name][1]))
        moved = jax.tree.map(np.copy, state)
        moved.q[2] *= 1.5
        moved.p[2] += 1.0
        before, after = (jax.tree.map(np.asarray, _compute(name, s)[0]) for s in (state, moved))
        rest = np.array([0, 1, 3, 4])
        chex.assert_trees_all_equal(*(jax.tree.map(lambda x: x[rest], field) for field in (before, after)))
        for x, y in zip(before, after, strict=True):
            self.assertGreater(np.max(np.abs(x[2] - y[2])), 1e-3)

    def test_keeps_float32(self, name):
        hamiltonian, shape, _ = _FIELDS[name]
        state = jax.tree.map(lambda x: x.astype(np.float32), _random_state((2, *shape)))
        field = jax.eval_shape(vector_field(hamiltonian), state)
        self.assertEqual((field.q.dtype, field.p.dtype), (jnp.float32, jnp.float32))


def _network(weights):
    """A random smooth network with a joint energy over states `[..., 4]`, like those that are learned."""
    first, second = weights

    def hamiltonian(state):
        features = jnp.concatenate([state.q, state.p], axis=-1)
        return jnp.sum(jax.nn.softplus(features @ first) * jnp.sin(features @ second), axis=-1)

    return hamiltonian


def _random_weights(seed=0, width=16):
    return np.random.default_rng(seed).normal(size=(2, 8, width)) / 2.0


@jax.jit
def _power_and_divergence(weights, state):
    """dH/dt along the vector field of a network, and the divergence of that field."""
    hamiltonian = _network(weights)
    field = vector_field(hamiltonian)
    _, power = jax.jvp(hamiltonian, (state,), (field(state),))
    jacobian = jax.jacfwd(field)(state)
    return power, jnp.trace(jacobian.q.q) + jnp.trace(jacobian.p.p)


class NetworkTest(Float64TestCase):
    @given(seed=st.integers(0, 2**16))
    def test_conserves_energy_and_phase_space_volume(self, seed):
        """Along any Hamiltonian field dH/dt = 0 and, by Liouville's theorem, the divergence vanishes."""
        power, divergence = _power_and_divergence(_random_weights(seed), _random_state((4,), seed))
        self.assertAlmostEqual(float(power), 0.0, delta=1e-11)
        self.assertAlmostEqual(float(divergence), 0.0, delta=1e-11)

    def test_can_be_differentiated(self):
        field = vector_field(_network(_random_weights()))
        loss = jax.jit(lambda q, p: sum(jnp.sum(x**2) for x in field(PhaseState(q, p))))
        chex.assert_numerical_grads(loss, _random_state((_BATCH, 4)), order=1, atol=1e-6, rtol=1e-6)


class SeparableTest(Float64TestCase):
    def test_is_the_sum_of_its_halves(self):
        kinetic = lambda p: jnp.sum(jnp.cosh(p), axis=-1)
        potential = lambda q: jnp.sum(q**4, axis=-1)
        hamiltonian = separable(kinetic, potential)
        self.assertIsInstance(hamiltonian, SeparableHamiltonian)
        self.assertIs(hamiltonian.kinetic, kinetic)
        self.assertIs(hamiltonian.potential, potential)
        q, p = state = _random_state((_BATCH, 3))
        np.testing.assert_allclose(hamiltonian(state), np.cosh(p).sum(-1) + (q**4).sum(-1), rtol=1e-13)

    def test_velocity_ignores_positions_and_force_ignores_momenta(self):
        hamiltonian = systems.three_body().hamiltonian
        first, second = _random_state((3, 2), seed=0), _random_state((3, 2), seed=1)
        mixed = PhaseState(first.q, second.p)
        velocity_of, force_of = jax.jit(velocity(hamiltonian)), jax.jit(force(hamiltonian))
        np.testing.assert_array_equal(force_of(mixed), force_of(first))
        np.testing.assert_array_equal(velocity_of(mixed), velocity_of(second))


_SUM = lambda x: jnp.sum(x**2, axis=-1) / 2.0
_KEPT = lambda x: jnp.sum(x**2, axis=-1, keepdims=True) / 2.0
_EACH = lambda x: x**2 / 2.0
_ALL = lambda x: jnp.sum(x**2) / 2.0
# Pairs of energies whose shapes differ, or are not those of the batch, for states [batch, d].
_MISMATCHED = {
    "kinetic_per_coordinate": (_EACH, _SUM),
    "potential_per_coordinate": (_SUM, _EACH),
    "kept_axis": (_KEPT, _SUM),
    "both_kept": (_KEPT, _KEPT),
    "both_per_coordinate": (_EACH, _EACH),
    "sum_over_the_batch_beside_one_per_example": (_SUM, _ALL),
    "transposed": (lambda p: _EACH(p).T, _SUM),
    "pair": (lambda p: (_SUM(p), _SUM(p)), _SUM),
    "none": (lambda p: None, _SUM),
    "complex": (lambda p: _SUM(p) * 1j, _SUM),
}  # fmt: skip


@parameterized.product(energies=list(_MISMATCHED), shape=[(4, 1), (4, 4), (3, 2)])
class MismatchedEnergiesTest(Float64TestCase):
    """Energies that are not one number per example are refused wherever they are differentiated or added."""

    def _assert_refused(self, compute):
        with self.assertRaisesRegex(ValueError, "energy must|Hamiltonian must") as caught:
            compute()
        self.assertNotIn("\n", str(caught.exception))

    def test_separable_refuses_them(self, energies, shape):
        hamiltonian, state = separable(*_MISMATCHED[energies]), _random_state(shape)
        for function in (lambda h: h, vector_field, velocity, force):
            self._assert_refused(lambda function=function: jax.eval_shape(function(hamiltonian), state))

    def test_a_joint_sum_of_them_is_refused(self, energies, shape):
        kinetic, potential = _MISMATCHED[energies]
        if energies in ("sum_over_the_batch_beside_one_per_example", "pair", "none"):
            self.skipTest("a sum over the batch cannot be told from a constant here; the others cannot be added")
        joint = lambda state: kinetic(state.p) + potential(state.q)
        with self.assertRaisesRegex(ValueError, "Hamiltonian must|Incompatible shapes"):
            jax.eval_shape(vector_field(joint), _random_state(shape))


class EnergyShapeTest(Float64TestCase):
    @parameterized.parameters(
        ((), _EACH, 0.0), ((3,), _EACH, 0), ((3,), _SUM, 0.0), ((4, 2), _SUM, 0.0), ((4, 2), _ALL, 0.0),
        ((4, 3, 2), lambda x: jnp.sum(x**2, axis=(1, 2)) / 2.0, np.float32(1.0)),
        ((5, 4, 2), _SUM, lambda p: jnp.zeros(())),
        ((4, 2), _SUM, lambda p: jnp.cos(jnp.float64(0.3)) * 2.0),
        ((4, 2), _SUM, lambda p: 1),
    )  # fmt: skip
    def test_one_number_per_example_and_constants_are_accepted(self, shape, energy, constant):
        """The energy of free fall: dp/dt = -q, dq/dt = 0, and the mirrored one."""
        function = constant if callable(constant) else lambda x: constant
        state = _random_state(shape)
        falling, gliding = vector_field(separable(function, energy)), vector_field(separable(energy, function))
        chex.assert_trees_all_close(falling(state), PhaseState(np.zeros(shape), -state.q))
        chex.assert_trees_all_close(gliding(state), PhaseState(state.p, np.zeros(shape)))

    def test_a_state_may_be_a_pytree(self):
        """The field of a cart with two pendulums, coordinate by coordinate the one of a single array."""
        weights = np.array([1.0, 2.0, 3.0])
        single = lambda s: jnp.sum(weights * s.p**2 / 2.0 + jnp.cos(weights * s.q), axis=-1)
        split = lambda x: {"cart": x[..., :1], "pendulums": x[..., 1:]}
        joined = lambda x: jnp.concatenate([x["cart"], x["pendulums"]], axis=-1)
        state = _random_state((4, 3))
        field = vector_field(lambda s: single(PhaseState(joined(s.q), joined(s.p))))(PhaseState(*map(split, state)))
        chex.assert_trees_all_close(field, PhaseState(*map(split, vector_field(single)(state))), rtol=1e-14)

    @parameterized.parameters(vector_field, velocity, force)
    def test_unequal_halves_of_a_state_are_refused(self, function):
        for q, p in ((np.ones((4, 1)), np.ones(1)), (np.ones(2), np.ones(2, np.float32)), (np.ones(2, int),) * 2):
            with self.assertRaisesRegex(ValueError, "of a state must have"):
                function(separable(_SUM, _SUM))(PhaseState(q, p))
