"""Tests of `hgn_jax.physics.systems`."""

import math

import chex
import jax
import jax.numpy as jnp
import numpy as np
from absl.testing import parameterized
from hypothesis import given
from hypothesis import strategies as st

from hgn_jax.physics import systems
from hgn_jax.physics.hamiltonian import SeparableHamiltonian, force, vector_field
from hgn_jax.physics.phase_space import PhaseState
from tests.hgn_jax.float64 import Float64TestCase
from tests.hgn_jax.physics.newton import gravity_energy, gravity_force
from tests.hgn_jax.physics.paths import integrate


def _random_state(shape, seed=0):
    q, p = np.random.default_rng(seed).normal(size=(2, *shape))
    return PhaseState(q, p)


def _angular_momentum(state):
    return np.sum(state.q[..., 0] * state.p[..., 1] - state.q[..., 1] * state.p[..., 0], axis=-1)


# name: (system, energy of one state in NumPy).
_ENERGIES = {
    "mass_spring": (systems.mass_spring(), lambda q, p: q[0] ** 2 + p[0] ** 2),
    "stiff_mass_spring": (systems.mass_spring(k=5.0, m=0.2), lambda q, p: 2.5 * q[0] ** 2 + 2.5 * p[0] ** 2),
    "pendulum": (systems.pendulum(), lambda q, p: 3.0 * (1.0 - math.cos(q[0])) + p[0] ** 2),
    "textbook_pendulum": (
        systems.pendulum(m=2.0, g=9.81, l=0.5, potential_factor=1.0),
        lambda q, p: 9.81 * (1.0 - math.cos(q[0])) + p[0] ** 2,
    ),
    "two_body": (systems.two_body(), lambda q, p: gravity_energy(q, p, [1.0, 1.0], 1.0)),
    "two_heavy_bodies": (systems.two_body(m=3.0, g=0.5), lambda q, p: gravity_energy(q, p, [3.0, 3.0], 0.5)),
    "three_body": (systems.three_body(), lambda q, p: gravity_energy(q, p, [1.0] * 3, 1.0)),
    "unequal_bodies": (
        systems.three_body(m=np.array([0.5, 1.0, 4.0]), g=2.0),
        lambda q, p: gravity_energy(q, p, [0.5, 1.0, 4.0], 2.0),
    ),
    "five_bodies": (systems.n_body(5, m=0.3), lambda q, p: gravity_energy(q, p, [0.3] * 5, 1.0)),
}


_three_body_energy = jax.jit(systems.three_body().hamiltonian)


class EnergyTest(Float64TestCase):
    @parameterized.parameters(*_ENERGIES)
    def test_is_the_formula_of_the_paper(self, name):
        system, energy = _ENERGIES[name]
        state = _random_state((7, *system.state_shape))
        expected = [energy(q, p) for q, p in zip(np.asarray(state.q), np.asarray(state.p), strict=True)]
        np.testing.assert_allclose(system.hamiltonian(state), expected, rtol=1e-12)

    @parameterized.parameters(*_ENERGIES)
    def test_is_one_number_per_batch_element(self, name):
        system, _ = _ENERGIES[name]
        self.assertIsInstance(system.hamiltonian, SeparableHamiltonian)
        energy = jax.jit(system.hamiltonian)
        state = _random_state((2, 3, *system.state_shape))
        mapped = jax.jit(jax.vmap(jax.vmap(system.hamiltonian)))(state)
        np.testing.assert_allclose(energy(state), mapped, rtol=1e-13)
        for batch in ((), (1,), (4,), (2, 3)):
            state = _random_state((*batch, *system.state_shape))
            self.assertEqual(jax.eval_shape(system.hamiltonian, state).shape, batch)
            self.assertEqual(jax.eval_shape(system.hamiltonian.kinetic, state.p).shape, batch)
            self.assertEqual(jax.eval_shape(system.hamiltonian.potential, state.q).shape, batch)

    def test_rest_has_no_energy(self):
        for system in (systems.mass_spring(), systems.pendulum()):
            self.assertEqual(float(system.hamiltonian(PhaseState(jnp.zeros(1), jnp.zeros(1)))), 0.0)

    def test_constants_can_be_differentiated_and_batched(self):
        state = _random_state((4, 1))
        energy = lambda k, q, p: systems.mass_spring(k=k).hamiltonian(PhaseState(q, p))
        k = jnp.arange(1.0, 5.0)
        q, p = np.asarray(state.q)[:, 0], np.asarray(state.p)[:, 0]
        energies, slopes = jax.jit(jax.vmap(jax.value_and_grad(energy)))(k, *state)
        np.testing.assert_allclose(energies, 0.5 * np.arange(1.0, 5.0) * q**2 + p**2, rtol=1e-13)
        np.testing.assert_allclose(slopes, 0.5 * q**2, rtol=1e-13)
        masses = jnp.asarray(np.random.default_rng(3).uniform(0.5, 2.0, (4, 3)))
        state = _random_state((4, 3, 2))
        energy = lambda m, q, p: systems.three_body(m=m).hamiltonian(PhaseState(q, p))
        energies = jax.jit(jax.vmap(energy))(masses, *state)
        expected = [gravity_energy(*map(np.asarray, args), 1.0) for args in zip(*state, masses, strict=True)]
        np.testing.assert_allclose(energies, expected, rtol=1e-12)

    @given(
        turn=st.floats(-math.pi, math.pi), east=st.floats(-10, 10), north=st.floats(-10, 10), seed=st.integers(0, 99)
    )
    def test_of_bodies_is_unchanged_by_moving_turning_and_relabelling(self, turn, east, north, seed):
        state = _random_state((3, 2), seed)
        rotation = np.array([[math.cos(turn), -math.sin(turn)], [math.sin(turn), math.cos(turn)]])
        relabel = np.random.default_rng(seed).permutation(3)
        moved = PhaseState((state.q @ rotation.T + np.array([east, north]))[relabel], (state.p @ rotation.T)[relabel])
        np.testing.assert_allclose(_three_body_energy(moved), _three_body_energy(state), rtol=1e-9)


class NBodyTest(Float64TestCase):
    @parameterized.parameters(2, 3, 4)
    def test_force_is_every_pull_of_every_other_body(self, num_bodies):
        """Adding the pulls outside the loop over bodies is right for two bodies only, hence three and four."""
        masses = np.linspace(0.5, 2.0, num_bodies)
        q = np.random.default_rng(num_bodies).normal(size=(6, num_bodies, 2))
        state = PhaseState(jnp.asarray(q), jnp.zeros_like(q))
        pulls = jax.jit(force(systems.n_body(num_bodies, m=masses, g=1.3).hamiltonian))(state)
        np.testing.assert_allclose(pulls, [gravity_force(x, masses, 1.3) for x in q], rtol=1e-11, atol=1e-11)
        np.testing.assert_allclose(jnp.sum(pulls, axis=-2), 0.0, atol=1e-11)  # Newton's third law

    def test_two_bodies_attract_by_the_inverse_square(self):
        q = jnp.array([[0.0, 0.0], [3.0, 4.0]])
        pulls = force(systems.two_body(m=np.array([2.0, 5.0]), g=10.0).hamiltonian)(PhaseState(q, jnp.zeros((2, 2))))
        # 10 * 2 * 5 / 5**2 = 4, along (3, 4) / 5.
        np.testing.assert_allclose(pulls, [[2.4, 3.2], [-2.4, -3.2]], rtol=1e-14)

    @parameterized.product(num_bodies=[2, 3], integrator=["symplectic_euler", "leapfrog", "yoshida4", "rk4"])
    def test_rollout_conserves_momentum_and_angular_momentum(self, num_bodies, integrator):
        masses = np.linspace(0.5, 2.0, num_bodies)
        start = systems.circular_orbit(num_bodies, radius=1.0, angle=0.3)
        drift = np.array([0.2, -0.1])  # so that neither total is zero by symmetry
        start = PhaseState(start.q, start.p * masses[:, None] + drift)
        hamiltonian = systems.n_body(num_bodies, m=masses).hamiltonian
        path = integrate(hamiltonian, start, 0.01, 200, integrator)
        momentum = np.sum(path.p, axis=-2)
        np.testing.assert_allclose(momentum, np.broadcast_to(momentum[0], momentum.shape), atol=1e-12)
        self.assertGreater(np.linalg.norm(momentum[0]), 0.1)
        # Kicks along lines between bodies and drifts along momenta keep it exactly; Runge-Kutta only to its order.
        tolerance = 1e-6 if integrator == "rk4" else 1e-12
        np.testing.assert_allclose(_angular_momentum(path) - _angular_momentum(start), 0.0, atol=tolerance)
        centre = np.sum(path.q * masses[:, None], axis=-2) / np.sum(masses)
        times = 0.01 * np.arange(201)[:, None]
        np.testing.assert_allclose(centre, centre[0] + times * momentum[0] / np.sum(masses), atol=1e-12)

    def test_needs_two_bodies(self):
        with self.assertRaisesRegex(ValueError, "two bodies or more, got 1"):
            systems.n_body(1)

    def test_keeps_float32(self):
        state = jax.tree.map(lambda x: x.astype(jnp.float32), _random_state((4, 3, 2)))
        system = systems.three_body(m=np.array([0.5, 1.0, 4.0]))
        self.assertEqual(jax.eval_shape(system.hamiltonian, state).dtype, jnp.float32)


class CircularOrbitTest(Float64TestCase):
    # Speed squared times radius / (g m): 1/4 for two bodies; 1/sqrt(3) for three; 1/4 + 1/sqrt(2) for four.
    @parameterized.parameters((2, 0.25), (3, 1.0 / math.sqrt(3.0)), (4, 0.25 + 1.0 / math.sqrt(2.0)))
    def test_is_a_polygon_at_the_speed_that_balances_gravity(self, num_bodies, attraction):
        radius, m, g = 1.7, 0.6, 2.5
        state = PhaseState(*map(np.asarray, systems.circular_orbit(num_bodies, radius, 0.4, m, g)))
        speed = math.sqrt(attraction * g * m / radius)
        np.testing.assert_allclose(np.linalg.norm(state.q, axis=-1), radius, rtol=1e-13)
        np.testing.assert_allclose(np.linalg.norm(state.p, axis=-1), m * speed, rtol=1e-13)
        np.testing.assert_allclose(np.sum(state.q * state.p, axis=-1), 0.0, atol=1e-13)
        np.testing.assert_allclose(np.sum(state.q, axis=-2), 0.0, atol=1e-13)
        np.testing.assert_allclose(np.sum(state.p, axis=-2), 0.0, atol=1e-13)
        np.testing.assert_allclose(_angular_momentum(state), num_bodies * radius * m * speed, rtol=1e-13)
        np.testing.assert_allclose(np.arctan2(state.q[0, 1], state.q[0, 0]), 0.4, rtol=1e-13)
        pulls = gravity_force(np.asarray(state.q), [m] * num_bodies, g)
        np.testing.assert_allclose(pulls, -m * (speed / radius) ** 2 * np.asarray(state.q), rtol=1e-12, atol=1e-12)
        field = jax.jit(vector_field(systems.n_body(num_bodies, m, g).hamiltonian))(state)
        np.testing.assert_allclose(field.p, pulls, rtol=1e-12, atol=1e-12)

    @parameterized.parameters((), (4,), (2, 3))
    def test_batch_axes(self, *batch):
        rng = np.random.default_rng(0)
        radius, angle = rng.uniform(0.5, 1.5, batch), rng.uniform(-3.0, 3.0, batch)
        state = systems.circular_orbit(3, radius, angle)
        self.assertEqual((state.q.shape, state.p.shape), ((*batch, 3, 2), (*batch, 3, 2)))
        np.testing.assert_allclose(np.linalg.norm(state.q, axis=-1), np.repeat(radius[..., None], 3, -1), rtol=1e-13)
        np.testing.assert_allclose(np.arctan2(state.q[..., 0, 1], state.q[..., 0, 0]), angle, rtol=1e-12)


class RigidOrbitTest(Float64TestCase):
    @parameterized.parameters(2, 3)
    def test_of_equal_masses_is_the_circular_orbit(self, num_bodies):
        radius, angle = np.array([0.7, 1.3]), np.array([0.2, 4.0])
        orbit = systems.rigid_orbit(num_bodies, radius, angle, np.full((2, num_bodies), 0.6), 2.5)
        chex.assert_trees_all_close(orbit, systems.circular_orbit(num_bodies, radius, angle, 0.6, 2.5), rtol=1e-12)

    @parameterized.parameters(2, 3)
    def test_gravity_is_the_centripetal_force(self, num_bodies):
        masses = np.array([0.5, 1.0, 4.0])[:num_bodies]
        q, p = map(np.asarray, systems.rigid_orbit(num_bodies, 1.7, 0.4, masses, 2.5))
        np.testing.assert_allclose(np.sum(p, axis=0), 0.0, atol=1e-12)
        np.testing.assert_allclose(masses @ q, 0.0, atol=1e-12)
        np.testing.assert_allclose(np.sum(q * p, axis=-1), 0.0, atol=1e-12)
        speed, distance = np.linalg.norm(p / masses[:, None], axis=-1), np.linalg.norm(q, axis=-1)
        inward = -(masses * speed**2 / distance**2)[:, None] * q
        np.testing.assert_allclose(gravity_force(q, masses, 2.5), inward, rtol=1e-12, atol=1e-12)

    def test_is_for_two_or_three_bodies(self):
        with self.assertRaisesRegex(ValueError, "two or three bodies, got 4"):
            systems.rigid_orbit(4, 1.0, 0.0, np.ones(4))


class DoublePendulumTest(Float64TestCase):
    CONSTANTS = {"m1": 0.3, "m2": 0.7, "g": 2.0, "l1": 1.2, "l2": 0.8}

    def lagrangian(self, q, rate):
        """The Lagrangian of one state, from the positions and velocities of the bobs."""
        m1, m2, g, l1, l2 = self.CONSTANTS.values()
        turning = np.array([l1 * rate[0], l2 * rate[1]])
        upper = turning[0] * np.array([math.cos(q[0]), math.sin(q[0])])
        lower = upper + turning[1] * np.array([math.cos(q[1]), math.sin(q[1])])
        heights = np.cumsum([l1 * (1 - math.cos(q[0])), l2 * (1 - math.cos(q[1]))])
        return (m1 * upper @ upper + m2 * lower @ lower) / 2 - g * (m1 * heights[0] + m2 * heights[1])

    def test_is_the_legendre_transform_of_the_lagrangian(self):
        system = systems.double_pendulum(**self.CONSTANTS)
        energy_and_field = jax.jit(lambda state: (system.hamiltonian(state), vector_field(system.hamiltonian)(state)))
        for q, rate in np.random.default_rng(0).normal(size=(5, 2, 2)):
            # p = dL/d(rate), exactly by central differences: L is quadratic in the rates.
            p = [(self.lagrangian(q, rate + h) - self.lagrangian(q, rate - h)) / 2 for h in np.eye(2)]
            energy, field = energy_and_field(PhaseState(q, np.array(p)))
            np.testing.assert_allclose(energy, np.dot(p, rate) - self.lagrangian(q, rate), rtol=1e-10)
            np.testing.assert_allclose(field.q, rate, rtol=1e-10)

    def test_small_swings_have_the_normal_modes(self):
        """For equal masses and rods, w^2 = (2 +- sqrt(2)) g / l."""
        system = systems.double_pendulum(m1=0.5, m2=0.5, g=3.0, l1=1.0, l2=1.0)
        rest = jnp.zeros(4)
        hessian = jax.jit(jax.hessian(lambda s: system.hamiltonian(PhaseState(s[:2], s[2:]))))(rest)
        rates = np.linalg.eigvals(np.array([[0, 0, 1, 0], [0, 0, 0, 1], [-1, 0, 0, 0], [0, -1, 0, 0]]) @ hessian)
        np.testing.assert_allclose(np.sort(rates.imag**2)[::2], 3.0 * (2.0 + np.array([-1, 1]) * math.sqrt(2)))
        self.assertEqual(float(system.hamiltonian(PhaseState(rest[:2], rest[2:]))), 0.0)

    @parameterized.parameters((), (1,), (2, 3))
    def test_is_one_number_per_batch_element(self, *batch):
        system = systems.double_pendulum()
        self.assertNotIsInstance(system.hamiltonian, SeparableHamiltonian)
        state = _random_state((*batch, 2))
        self.assertEqual(jax.eval_shape(system.hamiltonian, state).shape, batch)
        single = jax.tree.map(lambda x: x.astype(jnp.float32), state)
        self.assertEqual(jax.eval_shape(system.hamiltonian, single).dtype, jnp.float32)


class GetSystemTest(Float64TestCase):
    @parameterized.parameters(
        ("mass_spring", (1,), {"k": 2.0, "m": 0.5}),
        ("pendulum", (1,), {"m": 0.5, "g": 3.0, "l": 1.0, "potential_factor": 2.0}),
        ("two_body", (2, 2), {"m": 1.0, "g": 1.0}),
        ("three_body", (3, 2), {"m": 1.0, "g": 1.0}),
        ("double_pendulum", (2,), {"m1": 0.5, "m2": 0.5, "g": 3.0, "l1": 1.0, "l2": 1.0}),
    )
    def test_has_the_constants_of_the_paper(self, name, state_shape, constants):
        system = systems.get_system(name)
        self.assertEqual(system.name, name)
        self.assertEqual(system.state_shape, state_shape)
        self.assertEqual(system.constants, constants)

    def test_passes_constants_on(self):
        system = systems.get_system("pendulum", g=9.81, potential_factor=1.0)
        self.assertEqual(system.constants, {"m": 0.5, "g": 9.81, "l": 1.0, "potential_factor": 1.0})
        state = _random_state((4, 1))
        expected = systems.pendulum(0.5, 9.81, 1.0, 1.0).hamiltonian(state)
        chex.assert_trees_all_equal(system.hamiltonian(state), expected)

    def test_unknown_name_lists_the_names(self):
        with self.assertRaisesRegex(ValueError, "'pendulm'.*mass_spring, pendulum, two_body, three_body"):
            systems.get_system("pendulm")

    def test_every_name_is_its_own_key(self):
        for name, make in systems.SYSTEMS.items():
            self.assertEqual(make().name, name)
