"""Tests of the simulator."""

import dataclasses

import chex
import jax
import numpy as np
from absl.testing import absltest, parameterized
from scipy import integrate, stats

from data_builders.simulation import draws
from data_builders.simulation import ground_truth as simulation
from hgn_jax.physics import systems
from hgn_jax.physics.phase_space import PhaseState

MASS_SPRING = simulation.Simulation("mass_spring", {"k": 2.0, "m": 0.5}, (0.1, 1.0), observation_noise=0.1)
PENDULUM = simulation.Simulation("pendulum", {"m": 0.5, "g": 3.0, "l": 1.0}, (1.3, 2.3), observation_noise=0.1)
TWO_BODY = simulation.Simulation(
    "two_body", {"m": 1.0, "g": 1.0}, (0.5, 1.5), observation_noise=0.05, velocity_perturbation=0.1
)
THREE_BODY = simulation.Simulation(
    "three_body", {"m": 1.0, "g": 1.0}, (0.9, 1.2), observation_noise=0.2, velocity_perturbation=0.1
)
DOUBLE_PENDULUM = simulation.Simulation(
    "double_pendulum", {"m1": 0.5, "m2": 0.7, "g": 3.0, "l1": 1.0, "l2": 0.8}, (1.3, 2.3), observation_noise=0.05
)
ALL = tuple((each.system, each) for each in (MASS_SPRING, PENDULUM, TWO_BODY, THREE_BODY, DOUBLE_PENDULUM))
BODIES = ALL[2:4]


def planar(x):
    """Stored coordinates [..., 2n] as [..., n, 2]."""
    return x.reshape(*x.shape[:-1], -1, 2)


def polar(setting, start):
    """Radius and angle that were drawn, recovered from initial states."""
    if start.q.ndim == 2:
        x, y = start.q.ravel(), start.p.ravel()
    else:
        x, y = start.q[:, 0, 0], start.q[:, 0, 1]
    return np.hypot(x, y), np.mod(np.arctan2(y, x), 2 * np.pi)


def energy_by_hand(setting, q, p):
    constants = setting.constants
    if setting.system == "mass_spring":
        return (constants["k"] * q**2 / 2 + p**2 / (2 * constants["m"]))[..., 0]
    if setting.system == "pendulum":
        m, g, l = constants["m"], constants["g"], constants["l"]  # noqa: E741
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
    """From the velocities of the bobs; those of the angles are M(q)^-1 p with the mass matrix M of the Lagrangian."""
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
        found = simulation.simulate_chunk(setting, "train", 0)
        by_hand = energy_by_hand(setting, found.q, found.p)
        np.testing.assert_allclose(found.energy, by_hand, rtol=1e-12)
        drift = np.max(np.abs(by_hand - by_hand[:, :1]), axis=1) / np.abs(by_hand[:, 0])
        self.assertLessEqual(drift.max(), 1e-8)
        np.testing.assert_allclose(found.energy_error, drift, atol=1e-13)

    @parameterized.named_parameters(*ALL)
    def test_shapes_and_types(self, setting):
        found = simulation.simulate_chunk(setting, "test", 0)
        size = int(np.prod(systems.get_system(setting.system).state_shape))
        paths = (found.q, found.p, found.dq_dt, found.dp_dt, found.observed_q, found.observed_p)
        chex.assert_shape(paths, (simulation.CHUNK_SIZE, 31, size))
        chex.assert_shape(found.energy, (simulation.CHUNK_SIZE, 31))
        self.assertEqual({x.dtype for x in found[:-1]}, {np.dtype(np.float64)})
        np.testing.assert_array_equal(found.num_redrawn, np.zeros(simulation.CHUNK_SIZE, int))

    @parameterized.named_parameters(*ALL)
    def test_derivatives_are_those_of_the_path(self, setting):
        setting = dataclasses.replace(setting, dt=0.001, num_steps=4)
        found = simulation.simulate_chunk(setting, "train", 0)
        for path, derivative in ((found.q, found.dq_dt), (found.p, found.dp_dt)):
            difference = (path[:, 0] - 8 * path[:, 1] + 8 * path[:, 3] - path[:, 4]) / (12 * setting.dt)
            np.testing.assert_allclose(derivative[:, 2], difference, atol=1e-4)

    def test_mass_spring_follows_sine_and_cosine(self):
        found = simulation.simulate_chunk(MASS_SPRING, "train", 0)
        stiffness, mass = 2.0, 0.5
        frequency = np.sqrt(stiffness / mass)
        phase = frequency * 0.125 * np.arange(31)[None, :, None]
        q0, p0 = found.q[:, :1], found.p[:, :1]
        np.testing.assert_allclose(found.q, q0 * np.cos(phase) + p0 / (mass * frequency) * np.sin(phase), atol=1e-9)
        np.testing.assert_allclose(found.p, p0 * np.cos(phase) - q0 * mass * frequency * np.sin(phase), atol=1e-9)

    def test_given_states_are_followed_there_and_back(self):
        start = simulation.initial_states(THREE_BODY, "test", 0)
        start = PhaseState(start.q[:3], start.p[:3])
        setting = dataclasses.replace(THREE_BODY, num_steps=20)
        path, accurate = simulation.follow(setting, start)
        np.testing.assert_array_equal(accurate, [True] * 3)
        end = PhaseState(path.q[:, -1], path.p[:, -1])
        back, accurate = simulation.follow(dataclasses.replace(setting, dt=-setting.dt), end)
        np.testing.assert_array_equal(accurate, [True] * 3)
        np.testing.assert_allclose(back.q[:, ::-1], path.q, atol=1e-7)
        np.testing.assert_allclose(back.p[:, ::-1], path.p, atol=1e-7)

    def test_a_state_that_cannot_be_followed_does_not_keep_the_others_from_it(self):
        q = np.array([[[-0.5, 0.0], [0.5, 0.0]], [[-0.5, 0.0], [0.5, 0.0]]])
        p = np.array([[[0.0, 0.0], [0.0, 0.0]], [[0.0, -0.7], [0.0, 0.7]]])  # the first two fall into each other
        path, accurate = simulation.follow(TWO_BODY, PhaseState(q, p))
        np.testing.assert_array_equal(accurate, [False, True])
        self.assertEqual(path.q.shape, (2, 31, 2, 2))
        alone, _ = simulation.follow(TWO_BODY, PhaseState(q[1:], p[1:]))
        np.testing.assert_allclose(path.q[1:], alone.q, atol=1e-7)

    @parameterized.named_parameters(*BODIES)
    def test_unperturbed_bodies_turn_rigidly_in_a_circle(self, setting):
        setting = dataclasses.replace(setting, velocity_perturbation=0.0, dt=0.05)
        found = simulation.simulate_chunk(setting, "train", 0)
        q, p = planar(found.q), planar(found.p)
        radius = np.linalg.norm(q, axis=-1)
        np.testing.assert_allclose(radius, np.broadcast_to(radius[:, :1, :1], radius.shape), rtol=1e-6)
        np.testing.assert_allclose(np.sum(q * p, axis=-1), 0.0, atol=1e-6)
        # Attraction by bodies at equal angles, summed as vectors, must be the centripetal force.
        force = planar(found.dp_dt)[:, 0]
        speed = np.linalg.norm(p[:, 0], axis=-1)
        np.testing.assert_allclose(np.linalg.norm(force, axis=-1), speed**2 / radius[:, 0], rtol=1e-9)

    @parameterized.named_parameters(*BODIES)
    def test_bodies_keep_their_centre_and_have_no_total_momentum(self, setting):
        found = simulation.simulate_chunk(setting, "train", 0)
        np.testing.assert_allclose(planar(found.p).sum(axis=-2), 0.0, atol=1e-9)
        np.testing.assert_allclose(planar(found.q).sum(axis=-2), 0.0, atol=1e-9)

    def test_two_bodies_start_tangentially_with_perturbed_speed(self):
        found = simulation.initial_states(TWO_BODY, "train", 0)
        np.testing.assert_allclose(np.sum(found.q * found.p, axis=-1), 0.0, atol=1e-12)
        radius = np.linalg.norm(found.q[:, 0], axis=-1)
        # v^2 / r = 1 / (2 r)^2; the mean of two perturbed speeds varies by 10 % / sqrt(2).
        relative = np.linalg.norm(found.p[:, 0], axis=-1) * np.sqrt(4 * radius)
        self.assertAlmostEqual(relative.mean(), 1.0, delta=4 * 0.0707 / np.sqrt(500))
        self.assertGreater(stats.kstest((relative - 1.0) / (0.1 / np.sqrt(2)), "norm").pvalue, 1e-3)

    @parameterized.named_parameters(*ALL)
    def test_radius_and_angle_are_uniform_and_independent(self, setting):
        starts = [simulation.initial_states(setting, "train", chunk) for chunk in range(6)]
        radius, angle = np.concatenate([polar(setting, start) for start in starts], axis=1)
        low, high = setting.radius_range
        self.assertGreater(stats.kstest(radius, "uniform", (low, high - low)).pvalue, 1e-3)
        self.assertGreater(stats.kstest(angle, "uniform", (0.0, 2 * np.pi)).pvalue, 1e-3)
        table, *_ = np.histogram2d(radius, angle, bins=(5, 6))
        self.assertGreater(stats.chi2_contingency(table).pvalue, 1e-3)

    @parameterized.named_parameters(*ALL)
    def test_noise_is_white_and_of_the_std_asked_for(self, setting):
        found = simulation.simulate_chunk(setting, "train", 0)
        noise = np.stack([found.observed_q - found.q, found.observed_p - found.p]) / setting.observation_noise
        self.assertGreater(stats.kstest(noise.ravel(), "norm").pvalue, 1e-3)
        for axis in (2, 3)[: 1 + (noise.shape[3] > 1)]:  # neither steps nor coordinates share their noise
            pairs = np.moveaxis(noise, axis, 0)
            self.assertLess(abs(np.corrcoef(pairs[:-1].ravel(), pairs[1:].ravel())[0, 1]), 0.02)

    @parameterized.named_parameters(*ALL)
    def test_noise_has_the_std_in_every_coordinate(self, setting):
        found = simulation.simulate_chunk(setting, "test", 0)
        noise = np.concatenate([found.observed_q - found.q, found.observed_p - found.p], axis=-1)
        error = np.std(noise, axis=(0, 1)) / setting.observation_noise - 1.0
        self.assertLess(np.abs(error).max(), 5.0 / np.sqrt(2 * 500 * 31))  # five standard errors

    def test_no_noise_leaves_states_as_they_are(self):
        found = simulation.simulate_chunk(dataclasses.replace(PENDULUM, observation_noise=0.0), "train", 0)
        np.testing.assert_array_equal(found.observed_q, found.q)

    def test_trajectories_do_not_depend_on_how_many_are_asked_for(self):
        few = list(simulation.simulate(THREE_BODY, "train", 7))
        many = list(simulation.simulate(THREE_BODY, "train", simulation.CHUNK_SIZE + 3))
        self.assertEqual([len(part.q) for part in few + many], [7, simulation.CHUNK_SIZE, 3])
        chex.assert_trees_all_equal(few[0], simulation.Trajectories(*(x[:7] for x in many[0])))
        alone = simulation.simulate_chunk(THREE_BODY, "train", 1)
        chex.assert_trees_all_equal(many[1], simulation.Trajectories(*(x[:3] for x in alone)))

    def test_splits_chunks_and_seeds_differ(self):
        other_seed = dataclasses.replace(PENDULUM, seed=1)
        draws = [
            simulation.initial_states(PENDULUM, "train", 0).q,
            simulation.initial_states(PENDULUM, "train", 1).q,
            simulation.initial_states(PENDULUM, "test", 0).q,
            simulation.initial_states(other_seed, "train", 0).q,
        ]
        self.assertLen(np.unique(np.concatenate(draws)), 4 * simulation.CHUNK_SIZE)

    @parameterized.named_parameters(*ALL)
    def test_no_start_is_in_both_splits(self, setting):
        starts = {
            split: np.concatenate([simulation.initial_states(setting, split, chunk).q for chunk in range(20)])
            for split in draws.SPLITS
        }
        both = np.concatenate(list(starts.values())).reshape(20_000, -1)
        self.assertLen(np.unique(both, axis=0), 20_000)

    def test_jax_stays_in_single_precision(self):
        simulation.simulate_chunk(PENDULUM, "train", 0)
        self.assertEqual(jax.numpy.zeros(1).dtype, np.float32)
        self.assertFalse(jax.config.jax_enable_x64)

    def test_inaccurate_trajectories_are_integrated_again(self):
        loose = (1e-5, *simulation._TOLERANCES[1:])
        start = simulation.initial_states(THREE_BODY, "train", 0)
        start = type(start)(start.q[:20], start.p[:20])
        self.enter_context(absltest.mock.patch.object(simulation, "_TOLERANCES", loose))
        _, _, first_error = simulation._evaluate(THREE_BODY, simulation._integrate(THREE_BODY, start, 1e-5, {}), {})
        solution, reported = simulation._accurate_solution(THREE_BODY, start, {})
        _, _, error = simulation._evaluate(THREE_BODY, solution, {})
        np.testing.assert_array_equal(error, reported)
        self.assertGreater(first_error.max(), 1e-8)
        self.assertLessEqual(error.max(), 1e-8)

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

        expected = simulation.simulate_chunk(TWO_BODY, "train", 0)
        with absltest.mock.patch.object(simulation, "_accurate_solution", failing_once):
            found = simulation.simulate_chunk(TWO_BODY, "train", 0)
        self.assertEqual(np.flatnonzero(found.num_redrawn).tolist(), [3])
        again = simulation.initial_states(TWO_BODY, "train", 0, attempt=1)
        np.testing.assert_array_equal(planar(found.q)[3, 0], again.q[3])
        self.assertGreater(np.abs(found.q[3, 0] - expected.q[3, 0]).max(), 1e-3)
        others = np.arange(500) != 3
        chex.assert_trees_all_equal(found.q[others], expected.q[others])


class DoublePendulumTest(chex.TestCase):
    def test_follows_lagranges_equations(self):
        """Lagrange's equations for the angles, from a textbook, integrated by another method."""
        m1, m2, g, l1, l2 = DOUBLE_PENDULUM.constants.values()
        found = simulation.simulate_chunk(DOUBLE_PENDULUM, "train", 0)

        def accelerations(_, state):
            a, b, u, v = state
            matrix = [[(m1 + m2) * l1, m2 * l2 * np.cos(a - b)], [l1 * np.cos(a - b), l2]]
            right = [
                -m2 * l2 * v**2 * np.sin(a - b) - (m1 + m2) * g * np.sin(a),
                l1 * u**2 * np.sin(a - b) - g * np.sin(b),
            ]
            return [u, v, *np.linalg.solve(matrix, right)]

        for row in range(3):
            start = np.concatenate([found.q[row, 0], found.dq_dt[row, 0]])
            times = 0.125 * np.arange(31)
            path = integrate.solve_ivp(accelerations, (0, times[-1]), start, "LSODA", times, rtol=1e-11, atol=1e-11).y
            np.testing.assert_allclose(found.q[row], path[:2].T, atol=1e-6)
            np.testing.assert_allclose(found.dq_dt[row], path[2:].T, atol=1e-5)


class DampingTest(chex.TestCase):
    def test_spring_decays_within_its_envelope(self):
        """With p = m q' the equation is m q'' + gamma q' + k q = 0: q decays as exp(-gamma t / (2 m))."""
        setting = dataclasses.replace(MASS_SPRING, damping=0.3)
        found = simulation.simulate_chunk(setting, "train", 0)
        stiffness, mass = 2.0, 0.5
        rate = 0.3 / (2 * mass)
        frequency = np.sqrt(stiffness / mass - rate**2)
        time = 0.125 * np.arange(31)[None, :, None]
        q0, v0 = found.q[:, :1], found.p[:, :1] / mass
        swing = q0 * np.cos(frequency * time) + (v0 + rate * q0) / frequency * np.sin(frequency * time)
        np.testing.assert_allclose(found.q, np.exp(-rate * time) * swing, atol=1e-9)
        amplitude = np.hypot(found.q, (found.p / mass + rate * found.q) / frequency)
        np.testing.assert_allclose(amplitude, amplitude[:, :1] * np.exp(-rate * time), atol=1e-9)

    @parameterized.named_parameters(*ALL)
    def test_takes_energy_at_the_rate_of_friction(self, setting):
        """dH/dt = -gamma |dH/dp|^2, integrated here by Simpson's rule over many frames."""
        setting = dataclasses.replace(setting, damping=0.2, dt=0.01, num_steps=60)
        found = simulation.simulate_chunk(setting, "train", 0)
        power = 0.2 * np.sum(found.dq_dt**2, axis=-1)
        taken = integrate.simpson(power, dx=0.01, axis=1)
        np.testing.assert_allclose(found.energy[:, 0] - found.energy[:, -1], taken, rtol=1e-4, atol=1e-7)
        self.assertGreater(taken.mean(), 1e-3)
        self.assertLessEqual(found.energy_error.max(), 1e-8)

    @parameterized.named_parameters(*ALL)
    def test_derivatives_include_it(self, setting):
        setting = dataclasses.replace(setting, num_steps=1)
        damped = simulation.simulate_chunk(dataclasses.replace(setting, damping=0.2), "train", 0)
        free = simulation.simulate_chunk(setting, "train", 0)
        np.testing.assert_array_equal(damped.q[:, 0], free.q[:, 0])
        np.testing.assert_allclose(damped.dp_dt[:, 0], free.dp_dt[:, 0] - 0.2 * free.dq_dt[:, 0], atol=1e-12)


class DrawnConstantsTest(chex.TestCase):
    RANGES = (
        (MASS_SPRING, {"m": (0.2, 1.0)}),
        (PENDULUM, {"m": (0.5, 1.5), "g": (3.0, 4.0), "l": (0.5, 1.0)}),
        (TWO_BODY, {"m": (0.5, 1.5), "g": (0.5, 1.5)}),
        (DOUBLE_PENDULUM, {"m1": (0.4, 0.6), "l2": (0.75, 1.0)}),
    )

    @parameterized.parameters(*RANGES)
    def test_each_trajectory_has_the_energy_of_its_own(self, setting, ranges):
        setting = dataclasses.replace(setting, constant_ranges=ranges)
        found = simulation.simulate_chunk(setting, "train", 0)
        drawn = draws.draw_constants(setting, "train", 0)
        for row in (0, 1, 499):
            constants = {**setting.constants, **{name: value[row] for name, value in drawn.items()}}
            if setting.system == "two_body":
                first, second = constants["m"]
                q, p = planar(found.q[row]), planar(found.p[row])
                energy = np.sum(p[:, 0] ** 2, axis=-1) / (2 * first) + np.sum(p[:, 1] ** 2, axis=-1) / (2 * second)
                energy -= constants["g"] * first * second / np.linalg.norm(q[:, 0] - q[:, 1], axis=-1)
            else:
                alone = dataclasses.replace(setting, constants=constants)
                energy = energy_by_hand(alone, found.q[row], found.p[row])
            np.testing.assert_allclose(found.energy[row], energy, rtol=1e-10)
            np.testing.assert_allclose(energy, energy[0], rtol=1e-8)

    def test_are_uniform_and_independent(self):
        setting = dataclasses.replace(THREE_BODY, constant_ranges={"m": (0.5, 1.5), "g": (1.0, 3.0)})
        chunks = [draws.draw_constants(setting, "train", chunk) for chunk in range(4)]
        masses, gravity = (np.concatenate([chunk[name] for chunk in chunks]) for name in ("m", "g"))
        self.assertEqual((masses.shape, gravity.shape), ((2000, 3), (2000,)))
        columns = [*masses.T - 0.5, (gravity - 1.0) / 2.0]
        for column in columns:
            self.assertGreater(stats.kstest(column, "uniform").pvalue, 1e-3)
        self.assertLess(np.abs(np.corrcoef(columns) - np.eye(4)).max(), 0.1)

    @parameterized.parameters(TWO_BODY, THREE_BODY)
    def test_unequal_bodies_rest_as_a_whole_and_turn_rigidly_if_unperturbed(self, setting):
        setting = dataclasses.replace(setting, constant_ranges={"m": (0.5, 1.5), "g": (0.5, 1.5)})
        masses = draws.draw_constants(setting, "train", 0)["m"]
        start = simulation.initial_states(setting, "train", 0)
        np.testing.assert_allclose(start.p.sum(axis=1), 0.0, atol=1e-12)
        np.testing.assert_allclose(np.sum(masses[..., None] * start.q, axis=1), 0.0, atol=1e-12)
        calm = dataclasses.replace(setting, velocity_perturbation=0.0, dt=0.05)
        q = planar(simulation.simulate_chunk(calm, "train", 0).q)
        for first in range(q.shape[2]):
            distance = np.linalg.norm(q[:, :, first] - q[:, :, first - 1], axis=-1)
            np.testing.assert_allclose(distance, np.broadcast_to(distance[:, :1], distance.shape), rtol=1e-5)


if __name__ == "__main__":
    absltest.main()
