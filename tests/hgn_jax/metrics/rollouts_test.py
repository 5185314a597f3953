"""Tests of `hgn_jax.metrics.rollouts`."""

import jax
import numpy as np
from absl.testing import absltest

from hgn_jax import PhaseState
from hgn_jax.metrics import rollouts as metrics
from hgn_jax.physics import systems
from tests.hgn_jax.physics.paths import integrate

_START = PhaseState(np.array([[0.5], [-1.0]], np.float32), np.array([[0.2], [0.4]], np.float32))


class RolloutMetricsTest(absltest.TestCase):
    def test_frame_errors_and_summary(self):
        observed = np.zeros((2, 3, 4, 4, 3), np.float32)
        predicted = observed.copy()
        predicted[0, 1] = 0.5
        predicted[1, :, :2] = 0.2  # half of the pixels of every frame
        errors = metrics.frame_errors(predicted, observed)
        np.testing.assert_allclose(errors, [[0.0, 0.25, 0.0], [0.02, 0.02, 0.02]], atol=1e-7)
        summary = metrics.summarise(errors)
        self.assertAlmostEqual(summary["mse"], 0.31 / 6, places=6)
        self.assertAlmostEqual(summary["mse_std"], (0.25 / 3 - 0.02) / 2, places=6)
        np.testing.assert_allclose(summary["mse_per_step"], [0.01, 0.135, 0.01], atol=1e-7)

    def test_skill(self):
        self.assertEqual(metrics.skill(0.1, 0.1, 0.5), 1.0)
        self.assertEqual(metrics.skill(0.5, 0.1, 0.5), 0.0)
        self.assertAlmostEqual(metrics.skill(0.2, 0.1, 0.5), 0.75)

    def test_energy_statistics(self):
        energies = np.array([[1.0, 3.0], [1.5, 3.0], [0.5, 3.0]])
        statistics = metrics.energy_statistics(energies)
        self.assertAlmostEqual(statistics["mean"], 2.0)
        self.assertAlmostEqual(statistics["variance"], np.var([1.0, 1.5, 0.5]) / 2)
        self.assertAlmostEqual(statistics["drift"], 0.25)  # (0.5 + 0) / 2 over a standard deviation of 1

    def test_statistics_that_are_not_finite_are_none(self):
        self.assertEqual(
            metrics.energy_statistics(np.array([[1.0, 1.0], [1.0, 3.0]])), {"mean": 1.5, "variance": 0.5, "drift": None}
        )
        self.assertEqual(
            metrics.energy_statistics(np.array([[1.0, 2.0], [np.inf, 2.0]], np.float32)),
            {"mean": None, "variance": None, "drift": None},
        )

    def test_variance_is_along_a_rollout_and_tells_integrators_apart(self):
        """Euler multiplies the energy of an oscillator of frequency w by 1 + (w dt)^2 in each step."""
        hamiltonian = systems.mass_spring().hamiltonian
        variances = {}
        for integrator in ("leapfrog", "euler"):
            path = integrate(hamiltonian, _START, 0.1, 30, integrator)
            energies = metrics.energies_along(hamiltonian, path)
            np.testing.assert_allclose(energies, path.q[..., 0] ** 2 + path.p[..., 0] ** 2, rtol=1e-6)
            variances[integrator] = metrics.energy_statistics(energies)["variance"]
        start = np.array([0.29, 1.16])  # energies differ much more between trajectories than along one of leapfrog
        growth = (1 + 0.2**2) ** np.arange(31)
        self.assertAlmostEqual(variances["euler"], np.mean(start**2) * growth.var(), places=4)
        self.assertLess(variances["leapfrog"], 1e-3 * variances["euler"])

    def test_relative_distance(self):
        twice = jax.tree.map(lambda x: 2 * x, _START)
        self.assertAlmostEqual(float(metrics.relative_distance(twice, _START)), 1.0, places=6)

    def test_reversibility_tells_integrators_apart(self):
        hamiltonian = systems.pendulum().hamiltonian
        self.assertLess(metrics.reversibility(hamiltonian, _START, 0.1, 30, "leapfrog"), 1e-5)
        self.assertGreater(metrics.reversibility(hamiltonian, _START, 0.1, 30, "euler"), 1e-2)

    def test_speed_consistency_falls_with_the_order_of_the_method(self):
        with jax.enable_x64(True):
            hamiltonian, start = systems.pendulum().hamiltonian, PhaseState(np.array([[0.5]]), np.array([[0.2]]))
            for integrator, ratio in (("euler", 2.0), ("leapfrog", 4.0), ("yoshida4", 16.0)):
                measure = lambda state, name=integrator: metrics.speed_consistency(hamiltonian, state, 0.02, 60, name)
                errors = jax.jit(measure)(start)
                self.assertAlmostEqual(float(errors["dt"] / errors["dt/2"]) / ratio, 1.0, delta=0.15)
