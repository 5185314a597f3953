"""Tests of the simulator."""

import dataclasses

import chex
import jax
import numpy as np
from absl.testing import absltest, parameterized
from scipy import stats

from data_builders import simulation
from hgn_jax import systems

MASS_SPRING = simulation.Simulation("mass_spring", {"k": 2.0, "m": 0.5}, (0.1, 1.0), observation_noise=0.1)
PENDULUM = simulation.Simulation("pendulum", {"m": 0.5, "g": 3.0, "l": 1.0}, (1.3, 2.3), observation_noise=0.1)
TWO_BODY = simulation.Simulation(
    "two_body", {"m": 1.0, "g": 1.0}, (0.5, 1.5), observation_noise=0.05, velocity_perturbation=0.1
)
THREE_BODY = simulation.Simulation(
    "three_body", {"m": 1.0, "g": 1.0}, (0.9, 1.2), observation_noise=0.2, velocity_perturbation=0.1
)
ALL = tuple((each.system, each) for each in (MASS_SPRING, PENDULUM, TWO_BODY, THREE_BODY))
BODIES = ALL[2:]


def planar(x):
    """Stored coordinates [..., 2n] as [..., n, 2]."""
    return x.reshape(*x.shape[:-1], -1, 2)


def polar(setting, start):
    """Radius and angle that were drawn, recovered from initial states."""
    if start.q.ndim == 2:
        x, y = start.q[:, 0], start.p[:, 0]
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
    q, p = planar(q), planar(p)
    energy = np.sum(p**2, axis=(-2, -1)) / (2 * constants["m"])
    for i in range(q.shape[-2]):
        for j in range(i):
            energy -= constants["g"] * constants["m"] ** 2 / np.linalg.norm(q[..., i, :] - q[..., j, :], axis=-1)
    return energy


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
        self.assertEqual({x.dtype for x in found}, {np.dtype(np.float64)})

    @parameterized.named_parameters(*ALL)
    def test_derivatives_are_those_of_the_path(self, setting):
        setting = dataclasses.replace(setting, dt=0.005, num_steps=4)
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

    def test_jax_stays_in_single_precision(self):
        simulation.simulate_chunk(PENDULUM, "train", 0)
        self.assertEqual(jax.numpy.zeros(1).dtype, np.float32)
        self.assertFalse(jax.config.jax_enable_x64)

    def test_inaccurate_trajectories_are_integrated_again(self):
        loose = (1e-5, *simulation._TOLERANCES[1:])
        start = simulation.initial_states(THREE_BODY, "train", 0)
        start = type(start)(start.q[:20], start.p[:20])
        self.enter_context(absltest.mock.patch.object(simulation, "_TOLERANCES", loose))
        path = simulation._accurate_path(THREE_BODY, start)
        _, _, first_error = simulation._evaluate(THREE_BODY, simulation.integrate_states(THREE_BODY, start, 1e-5))
        _, _, error = simulation._evaluate(THREE_BODY, path)
        self.assertGreater(first_error.max(), 1e-8)
        self.assertLessEqual(error.max(), 1e-8)

    def test_hopeless_trajectories_are_an_error(self):
        self.enter_context(absltest.mock.patch.object(simulation, "_TOLERANCES", (1e-3, 1e-3)))
        with self.assertRaisesRegex(simulation.SimulationError, "two_body: relative energy error"):
            simulation.simulate_chunk(TWO_BODY, "train", 0)


if __name__ == "__main__":
    absltest.main()
