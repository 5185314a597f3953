"""Tests of the simulator. A chunk has 20 trajectories here; see conftest.py."""

import dataclasses
import functools

import chex
import jax
import numpy as np
from absl.testing import absltest, parameterized
from scipy import integrate, stats

from data_builders.simulation import draws
from data_builders.simulation import ground_truth as simulation
from hgn_jax.physics import systems
from hgn_jax.physics.phase_space import PhaseState
from tests.data_builders.simulation.settings import (
    ALL,
    BODIES,
    DOUBLE_PENDULUM,
    MASS_SPRING,
    PENDULUM,
    THREE_BODY,
    TWO_BODY,
    planar,
)


@functools.cache
def first_chunk(system):
    """Returns the first chunk of a system, which all tests share."""
    return simulation.simulate_chunk(dict(ALL)[system], "train", 0)


def energy_by_hand(setting, q, p):
    """Returns the energy of states by the formulas of the paper."""
    constants = setting.constants
    if setting.system == "mass_spring":
        return (constants["k"] * q**2 / 2 + p**2 / (2 * constants["m"]))[..., 0]
    if setting.system == "pendulum":
        m, g, l = constants["m"], constants["g"], constants["l"]
        return (2 * m * g * l * (1 - np.cos(q)) + p**2 / (2 * m * l**2))[..., 0]
    if setting.system == "double_pendulum":
        return double_pendulum_energy(constants, q, p)
    q, p = planar(q), planar(p)
    energy = np.sum(p**2, axis=(-2, -1)) / (2 * constants["m"])
    for i in range(q.shape[-2]):
        for j in range(i):
            energy -= constants["g"] * constants["m"] ** 2 / np.linalg.norm(q[..., i, :] - q[..., j, :], axis=-1)
    return energy


def double_pendulum_energy(constants, q, p):
    """Computes the energy from the velocities of the bobs; the angles' are M(q)^-1 p with the Lagrangian's M."""
    m1, m2, g, l1, l2 = (constants[name] for name in ("m1", "m2", "g", "l1", "l2"))
    coupling = m2 * l1 * l2 * np.cos(q[..., 0] - q[..., 1])
    top, bottom = np.full(coupling.shape, (m1 + m2) * l1**2), np.full(coupling.shape, m2 * l2**2)
    matrix = np.moveaxis(np.array([[top, coupling], [coupling, bottom]]), (0, 1), (-2, -1))
    rate = np.linalg.solve(matrix, p[..., None])[..., 0]
    rods = np.array([l1, l2])[:, None] * np.stack([np.sin(q), -np.cos(q)], axis=-1)
    turns = (rate * [l1, l2])[..., None] * np.stack([np.cos(q), np.sin(q)], axis=-1)
    heights, velocities = np.cumsum(rods, axis=-2)[..., 1], np.cumsum(turns, axis=-2)
    kinetic = np.sum(np.array([m1, m2]) / 2 * np.sum(velocities**2, axis=-1), axis=-1)
    return kinetic + g * (m1 * (heights[..., 0] + l1) + m2 * (heights[..., 1] + l1 + l2))


class SimulationTest(chex.TestCase):
    @parameterized.named_parameters(*ALL)
    def test_energy_is_that_of_the_formula_and_is_conserved(self, setting):
        chunk = first_chunk(setting.system)
        by_hand = energy_by_hand(setting, chunk.q, chunk.p)
        np.testing.assert_allclose(chunk.energy, by_hand, rtol=1e-12)
        drift = np.max(np.abs(by_hand - by_hand[:, :1]), axis=1) / np.abs(by_hand[:, 0])
        self.assertLessEqual(drift.max(), 1e-8)
        np.testing.assert_allclose(chunk.energy_error, drift, atol=1e-13)

    @parameterized.named_parameters(*ALL)
    def test_shapes_and_types(self, setting):
        chunk = first_chunk(setting.system)
        size = int(np.prod(systems.get_system(setting.system).state_shape))
        paths = (chunk.q, chunk.p, chunk.dq_dt, chunk.dp_dt, chunk.observed_q, chunk.observed_p)
        chex.assert_shape(paths, (draws.CHUNK_SIZE, 31, size))
        chex.assert_shape(chunk.energy, (draws.CHUNK_SIZE, 31))
        self.assertEqual({x.dtype for x in chunk[:-1]}, {np.dtype(np.float64)})
        np.testing.assert_array_equal(chunk.num_redrawn, np.zeros(draws.CHUNK_SIZE, int))

    @parameterized.named_parameters(*ALL)
    def test_derivatives_are_those_of_the_path(self, setting):
        setting = dataclasses.replace(setting, dt=0.001, num_steps=4)
        chunk = simulation.simulate_chunk(setting, "train", 0)
        for path, derivative in ((chunk.q, chunk.dq_dt), (chunk.p, chunk.dp_dt)):
            difference = (path[:, 0] - 8 * path[:, 1] + 8 * path[:, 3] - path[:, 4]) / (12 * setting.dt)
            np.testing.assert_allclose(derivative[:, 2], difference, atol=1e-4)

    def test_mass_spring_follows_sine_and_cosine(self):
        chunk = first_chunk("mass_spring")
        stiffness, mass = 2.0, 0.5
        frequency = np.sqrt(stiffness / mass)
        phase = frequency * 0.125 * np.arange(31)[None, :, None]
        q0, p0 = chunk.q[:, :1], chunk.p[:, :1]
        np.testing.assert_allclose(chunk.q, q0 * np.cos(phase) + p0 / (mass * frequency) * np.sin(phase), atol=1e-9)
        np.testing.assert_allclose(chunk.p, p0 * np.cos(phase) - q0 * mass * frequency * np.sin(phase), atol=1e-9)

    @parameterized.named_parameters(*BODIES)
    def test_unperturbed_bodies_turn_rigidly_in_a_circle(self, setting):
        setting = dataclasses.replace(setting, velocity_perturbation=0.0, dt=0.05)
        chunk = simulation.simulate_chunk(setting, "train", 0)
        q, p = planar(chunk.q), planar(chunk.p)
        radius = np.linalg.norm(q, axis=-1)
        np.testing.assert_allclose(radius, np.broadcast_to(radius[:, :1, :1], radius.shape), rtol=1e-6)
        np.testing.assert_allclose(np.sum(q * p, axis=-1), 0.0, atol=1e-6)
        # The attraction by bodies at equal angles, summed as vectors, must be the centripetal force.
        force = planar(chunk.dp_dt)[:, 0]
        speed = np.linalg.norm(p[:, 0], axis=-1)
        np.testing.assert_allclose(np.linalg.norm(force, axis=-1), speed**2 / radius[:, 0], rtol=1e-9)

    @parameterized.named_parameters(*BODIES)
    def test_bodies_keep_their_centre_and_have_no_total_momentum(self, setting):
        chunk = first_chunk(setting.system)
        np.testing.assert_allclose(planar(chunk.p).sum(axis=-2), 0.0, atol=1e-9)
        np.testing.assert_allclose(planar(chunk.q).sum(axis=-2), 0.0, atol=1e-9)

    @parameterized.named_parameters(*ALL)
    def test_noise_is_white_and_has_its_standard_deviation_in_every_coordinate(self, setting):
        chunk = first_chunk(setting.system)
        noise = np.stack([chunk.observed_q - chunk.q, chunk.observed_p - chunk.p]) / setting.observation_noise
        self.assertGreater(stats.kstest(noise.ravel(), "norm").pvalue, 1e-3)
        deviation = np.std(noise, axis=(1, 2))
        num_draws = noise[0, ..., 0].size
        self.assertLess(np.abs(deviation - 1.0).max(), 5.0 / np.sqrt(2 * num_draws))  # five standard errors
        for axis in (2, 3)[: 1 + (noise.shape[3] > 1)]:  # neither steps nor coordinates share their noise
            pairs = np.moveaxis(noise, axis, 0)
            correlation = np.corrcoef(pairs[:-1].ravel(), pairs[1:].ravel())[0, 1]
            self.assertLess(abs(correlation), 5.0 / np.sqrt(pairs[1:].size))

    def test_no_noise_leaves_states_unchanged(self):
        setting = dataclasses.replace(PENDULUM, observation_noise=0.0, num_steps=2)
        chunk = simulation.simulate_chunk(setting, "train", 0)
        np.testing.assert_array_equal(chunk.observed_q, chunk.q)

    def test_trajectories_do_not_depend_on_their_number(self):
        few = list(simulation.simulate(THREE_BODY, "train", 7))
        many = list(simulation.simulate(THREE_BODY, "train", draws.CHUNK_SIZE + 3))
        self.assertEqual([len(part.q) for part in few + many], [7, draws.CHUNK_SIZE, 3])
        chex.assert_trees_all_equal(few[0], simulation.Trajectories(*(x[:7] for x in many[0])))
        alone = simulation.simulate_chunk(THREE_BODY, "train", 1)
        chex.assert_trees_all_equal(many[1], simulation.Trajectories(*(x[:3] for x in alone)))

    def test_jax_stays_in_single_precision(self):
        first_chunk("pendulum")
        self.assertEqual(jax.numpy.zeros(1).dtype, np.float32)
        self.assertFalse(jax.config.jax_enable_x64)


class AccuracyTest(chex.TestCase):
    def test_inaccurate_trajectories_are_integrated_again(self):
        loose = (1e-5, *simulation._TOLERANCES[1:])
        start = draws.initial_states(THREE_BODY, "train", 0)
        self.enter_context(absltest.mock.patch.object(simulation, "_TOLERANCES", loose))
        _, _, first_error = simulation._evaluate(THREE_BODY, simulation._integrate(THREE_BODY, start, 1e-5, {}), {})
        solution, reported = simulation._accurate_solution(THREE_BODY, start, {})
        _, _, error = simulation._evaluate(THREE_BODY, solution, {})
        np.testing.assert_array_equal(error, reported)
        self.assertGreater(first_error.max(), 1e-8)
        self.assertLessEqual(error.max(), 1e-8)

    @parameterized.parameters({"m": 0.0}, {"k": 1e308}, {"k": -1e308})
    def test_motion_without_a_finite_value_is_an_error(self, **constants):
        setting = dataclasses.replace(MASS_SPRING, constants={**MASS_SPRING.constants, **constants})
        name = min(constants)
        with self.assertRaisesRegex(simulation.SimulationError, f"of mass_spring; change dt=0.125, .*{name}="):
            simulation.simulate_chunk(setting, "train", 0)

    @parameterized.parameters({"dt": 1e5}, {"damping": 1e7})
    def test_motion_that_is_too_fast_is_an_error(self, **changes):
        self.enter_context(absltest.mock.patch.object(simulation, "_MAX_EVALUATIONS_PER_STEP", 500))
        with self.assertRaisesRegex(simulation.SimulationError, "too long for the motion of pendulum; change dt="):
            simulation.simulate_chunk(dataclasses.replace(PENDULUM, **changes), "train", 0)

    @parameterized.named_parameters(("three_body", THREE_BODY), ("double_pendulum", DOUBLE_PENDULUM))
    def test_ordinary_motion_stays_far_below_the_limit(self, setting):
        self.enter_context(absltest.mock.patch.object(simulation, "_MAX_EVALUATIONS_PER_STEP", 500))
        simulation.simulate_chunk(setting, "test", 0)

    def test_hopeless_trajectories_are_an_error(self):
        self.enter_context(absltest.mock.patch.object(simulation, "_TOLERANCES", (1e-3, 1e-3)))
        with self.assertRaisesRegex(simulation.SimulationError, "two_body: relative energy error"):
            simulation.simulate_chunk(TWO_BODY, "train", 0)

    def test_a_start_that_cannot_be_integrated_is_drawn_again_and_counted(self):
        accurate = simulation._accurate_solution

        def failing_once(setting, start, drawn):
            solution, error = accurate(setting, start, drawn)
            if len(error) > 1:
                error[3] = 1e-3
            return solution, error

        expected = first_chunk("two_body")
        with absltest.mock.patch.object(simulation, "_accurate_solution", failing_once):
            chunk = simulation.simulate_chunk(TWO_BODY, "train", 0)
        self.assertEqual(np.flatnonzero(chunk.num_redrawn).tolist(), [3])
        again = draws.initial_states(TWO_BODY, "train", 0, attempt=1)
        np.testing.assert_array_equal(planar(chunk.q)[3, 0], again.q[3])
        self.assertGreater(np.abs(chunk.q[3, 0] - expected.q[3, 0]).max(), 1e-3)
        others = np.arange(draws.CHUNK_SIZE) != 3
        chex.assert_trees_all_equal(chunk.q[others], expected.q[others])

    def test_given_states_are_followed_there_and_back(self):
        start = draws.initial_states(THREE_BODY, "test", 0)
        start = PhaseState(start.q[:3], start.p[:3])
        setting = dataclasses.replace(THREE_BODY, num_steps=20)
        path, accurate = simulation.follow(setting, start)
        np.testing.assert_array_equal(accurate, [True] * 3)
        end = PhaseState(path.q[:, -1], path.p[:, -1])
        back, accurate = simulation.follow(dataclasses.replace(setting, dt=-setting.dt), end)
        np.testing.assert_array_equal(accurate, [True] * 3)
        np.testing.assert_allclose(back.q[:, ::-1], path.q, atol=1e-7)
        np.testing.assert_allclose(back.p[:, ::-1], path.p, atol=1e-7)

    def test_a_state_that_cannot_be_followed_does_not_affect_the_others(self):
        q = np.array([[[-0.5, 0.0], [0.5, 0.0]], [[-0.5, 0.0], [0.5, 0.0]]])
        p = np.array([[[0.0, 0.0], [0.0, 0.0]], [[0.0, -0.7], [0.0, 0.7]]])  # the first two fall into each other
        path, accurate = simulation.follow(TWO_BODY, PhaseState(q, p))
        np.testing.assert_array_equal(accurate, [False, True])
        self.assertEqual(path.q.shape, (2, 31, 2, 2))
        alone, _ = simulation.follow(TWO_BODY, PhaseState(q[1:], p[1:]))
        np.testing.assert_allclose(path.q[1:], alone.q, atol=1e-7)


class DoublePendulumTest(chex.TestCase):
    def test_follows_lagranges_equations(self):
        """Lagrange's equations for the angles, from a textbook, integrated by another method."""
        m1, m2, g, l1, l2 = DOUBLE_PENDULUM.constants.values()
        chunk = first_chunk("double_pendulum")

        def accelerations(_, state):
            a, b, u, v = state
            matrix = [[(m1 + m2) * l1, m2 * l2 * np.cos(a - b)], [l1 * np.cos(a - b), l2]]
            right = [
                -m2 * l2 * v**2 * np.sin(a - b) - (m1 + m2) * g * np.sin(a),
                l1 * u**2 * np.sin(a - b) - g * np.sin(b),
            ]
            return [u, v, *np.linalg.solve(matrix, right)]

        for row in range(2):
            start = np.concatenate([chunk.q[row, 0], chunk.dq_dt[row, 0]])
            times = 0.125 * np.arange(31)
            path = integrate.solve_ivp(accelerations, (0, times[-1]), start, "LSODA", times, rtol=1e-11, atol=1e-11).y
            np.testing.assert_allclose(chunk.q[row], path[:2].T, atol=1e-6)
            np.testing.assert_allclose(chunk.dq_dt[row], path[2:].T, atol=1e-5)


class DampingTest(chex.TestCase):
    def test_spring_decays_within_its_envelope(self):
        """With p = m q' the equation is m q'' + gamma q' + k q = 0: q decays as exp(-gamma t / (2 m))."""
        setting = dataclasses.replace(MASS_SPRING, damping=0.3)
        chunk = simulation.simulate_chunk(setting, "train", 0)
        stiffness, mass = 2.0, 0.5
        rate = 0.3 / (2 * mass)
        frequency = np.sqrt(stiffness / mass - rate**2)
        time = 0.125 * np.arange(31)[None, :, None]
        q0, v0 = chunk.q[:, :1], chunk.p[:, :1] / mass
        swing = q0 * np.cos(frequency * time) + (v0 + rate * q0) / frequency * np.sin(frequency * time)
        np.testing.assert_allclose(chunk.q, np.exp(-rate * time) * swing, atol=1e-9)
        amplitude = np.hypot(chunk.q, (chunk.p / mass + rate * chunk.q) / frequency)
        np.testing.assert_allclose(amplitude, amplitude[:, :1] * np.exp(-rate * time), atol=1e-9)

    @parameterized.named_parameters(*ALL)
    def test_takes_energy_at_the_rate_of_friction(self, setting):
        """dH/dt = -gamma |dH/dp|^2, integrated here by Simpson's rule over many frames."""
        setting = dataclasses.replace(setting, damping=0.2, dt=0.01, num_steps=60)
        chunk = simulation.simulate_chunk(setting, "train", 0)
        power = 0.2 * np.sum(chunk.dq_dt**2, axis=-1)
        taken = integrate.simpson(power, dx=0.01, axis=1)
        np.testing.assert_allclose(chunk.energy[:, 0] - chunk.energy[:, -1], taken, rtol=1e-4, atol=1e-7)
        self.assertGreater(taken.mean(), 1e-3)
        self.assertLessEqual(chunk.energy_error.max(), 1e-8)

    @parameterized.named_parameters(*ALL)
    def test_derivatives_include_it(self, setting):
        damped = simulation.simulate_chunk(dataclasses.replace(setting, damping=0.2, num_steps=1), "train", 0)
        free = first_chunk(setting.system)
        np.testing.assert_array_equal(damped.q[:, 0], free.q[:, 0])
        np.testing.assert_allclose(damped.dp_dt[:, 0], free.dp_dt[:, 0] - 0.2 * free.dq_dt[:, 0], atol=1e-12)


class DrawnConstantsTest(chex.TestCase):
    @parameterized.parameters(
        (MASS_SPRING, {"m": (0.2, 1.0)}),
        (PENDULUM, {"m": (0.5, 1.5), "g": (3.0, 4.0), "l": (0.5, 1.0)}),
        (TWO_BODY, {"m": (0.5, 1.5), "g": (0.5, 1.5)}),
        (DOUBLE_PENDULUM, {"m1": (0.4, 0.6), "l2": (0.75, 1.0)}),
    )
    def test_each_trajectory_has_the_energy_of_its_own(self, setting, ranges):
        setting = dataclasses.replace(setting, constant_ranges=ranges)
        chunk = simulation.simulate_chunk(setting, "train", 0)
        drawn = draws.draw_constants(setting, "train", 0)
        for row in (0, 1, draws.CHUNK_SIZE - 1):
            constants = {**setting.constants, **{name: value[row] for name, value in drawn.items()}}
            if setting.system == "two_body":
                first, second = constants["m"]
                q, p = planar(chunk.q[row]), planar(chunk.p[row])
                energy = np.sum(p[:, 0] ** 2, axis=-1) / (2 * first) + np.sum(p[:, 1] ** 2, axis=-1) / (2 * second)
                energy -= constants["g"] * first * second / np.linalg.norm(q[:, 0] - q[:, 1], axis=-1)
            else:
                alone = dataclasses.replace(setting, constants=constants)
                energy = energy_by_hand(alone, chunk.q[row], chunk.p[row])
            np.testing.assert_allclose(chunk.energy[row], energy, rtol=1e-10)
            np.testing.assert_allclose(energy, energy[0], rtol=1e-8)

    @parameterized.parameters(TWO_BODY, THREE_BODY)
    def test_unequal_bodies_turn_rigidly_if_unperturbed(self, setting):
        ranges = {"m": (0.5, 1.5), "g": (0.5, 1.5)}
        calm = dataclasses.replace(setting, constant_ranges=ranges, velocity_perturbation=0.0, dt=0.05)
        q = planar(simulation.simulate_chunk(calm, "train", 0).q)
        for first in range(q.shape[2]):
            distance = np.linalg.norm(q[:, :, first] - q[:, :, first - 1], axis=-1)
            np.testing.assert_allclose(distance, np.broadcast_to(distance[:, :1], distance.shape), rtol=1e-5)
