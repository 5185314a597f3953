"""Tests of `hgn_jax.metrics.flow`."""

import jax
import jax.numpy as jnp
import numpy as np
from absl.testing import absltest, parameterized
from scipy import stats

from hgn_jax.metrics import flow as flow_metrics
from hgn_jax.physics.phase_space import PhaseState


class LikelihoodTest(parameterized.TestCase):
    def test_mean_and_error(self):
        values = np.random.default_rng(0).normal(3.0, 2.0, 400)
        result = flow_metrics.mean_and_error(values)
        self.assertAlmostEqual(result["mean"], values.mean())
        self.assertAlmostEqual(result["standard_error"], stats.sem(values))

    @parameterized.parameters(1, 2, 8)
    def test_importance_weighted_is_the_mean_over_groups(self, count):
        weights = np.random.default_rng(1).normal(size=(8, 3))
        expected = [
            np.mean([np.log(np.mean(np.exp(weights[i : i + count, point]))) for i in range(0, 8, count)])
            for point in range(3)
        ]
        np.testing.assert_allclose(flow_metrics.importance_weighted(weights, count), expected)

    def test_importance_weighted_tends_to_the_log_of_the_mean(self):
        # For weights exp(s n - s^2 / 2), n standard normal, the mean is 1 and E[log weight] is -s^2 / 2.
        s = 1.0
        weights = s * np.random.default_rng(2).normal(size=(1024, 500)) - s**2 / 2
        bounds = [flow_metrics.importance_weighted(weights, count).mean() for count in (1, 4, 32, 1024)]
        self.assertAlmostEqual(bounds[0], -(s**2) / 2, delta=0.01)
        self.assertSequenceEqual(bounds, sorted(bounds))
        self.assertAlmostEqual(bounds[-1], 0.0, delta=0.01)

    def test_log_prob_and_error_are_those_of_repeated_estimates(self):
        # Weights exp(n - 1 / 2) have the mean 1; the spread of many estimates is what the error must tell.
        weights = np.random.default_rng(3).normal(size=(1000, 2000)) - 0.5
        log_prob, error = flow_metrics.log_prob_and_error(weights - 300.0)
        self.assertAlmostEqual(log_prob.mean(), -300.0, delta=0.005)
        np.testing.assert_allclose(error.mean(), log_prob.std(), rtol=0.1)

    def test_importance_weighted_is_finite_far_out(self):
        np.testing.assert_allclose(flow_metrics.importance_weighted(np.full((4, 2), -1e4), 4), -1e4)

    def test_importance_weighted_refuses_a_remainder(self):
        with self.assertRaisesRegex(ValueError, "8 samples cannot be divided into groups of 3"):
            flow_metrics.importance_weighted(np.zeros((8, 1)), 3)

    @parameterized.parameters(1, 3)
    def test_gaussian_reference(self, dim):
        rng = np.random.default_rng(3)
        mixing = rng.normal(size=(dim, dim))
        train, test = (rng.normal(size=(n, dim)) @ mixing + 2.0 for n in (50_000, 2000))
        entropy = 0.5 * np.linalg.slogdet(2 * np.pi * np.e * mixing.T @ mixing)[1]
        self.assertAlmostEqual(flow_metrics.gaussian_log_prob(train, test).mean(), -entropy, delta=0.08)


class MapErrorsTest(absltest.TestCase):
    def setUp(self):
        super().setUp()
        self.enter_context(jax.enable_x64(True))
        rng = np.random.default_rng(4)
        self.state = PhaseState(*(jnp.asarray(rng.normal(size=(5, 2))) for _ in range(2)))

    def test_a_shear_is_exact(self):
        shear = lambda sign: lambda s: PhaseState(s.q, s.p + sign * jnp.sin(s.q))
        errors = flow_metrics.map_errors(shear(1.0), shear(-1.0), self.state)
        self.assertLess(errors["inverse"], 1e-15)
        self.assertLess(errors["volume"], 1e-14)

    def test_sees_changes_of_volume(self):
        for factor in (1.1, 0.9):
            scale = lambda factor: lambda s: PhaseState(s.q * factor, s.p)
            errors = flow_metrics.map_errors(scale(factor), scale(1 / factor), self.state)
            self.assertLess(errors["inverse"], 1e-15)
            self.assertAlmostEqual(errors["volume"], abs(factor**2 - 1))

    def test_sees_a_wrong_inverse(self):
        shift = lambda s: PhaseState(s.q, s.p + 0.5)
        size = max(float(jnp.max(jnp.abs(x))) for x in (*self.state, *shift(self.state)))
        errors = flow_metrics.map_errors(shift, lambda s: s, self.state)
        self.assertAlmostEqual(errors["inverse"], 0.5 / size)


class MinimaTest(absltest.TestCase):
    def test_finds_all_minima_and_nothing_else(self):
        axes = (np.linspace(-2, 2, 81), np.linspace(-1, 3, 81))
        x, y = np.meshgrid(*axes, indexing="ij")
        minima = flow_metrics.minima_on_grid((x**2 - 1) ** 2 + (y - 1) ** 2, axes)
        np.testing.assert_allclose(minima[np.argsort(minima[:, 0])], [[-1, 1], [1, 1]], atol=1e-9)

    def test_edges_are_not_minima(self):
        axis = np.linspace(-1, 1, 21)
        self.assertEmpty(flow_metrics.minima_on_grid(axis, (axis,)))

    def test_fraction_near(self):
        points = np.array([[0.0, 0.0], [2.0, 0.0], [0.0, 2.0], [2.0, 2.0]])
        candidates = np.array([[0.3, 0.4], [2.0, 1.4], [9.0, 9.0]])
        self.assertEqual(flow_metrics.fraction_near(points, candidates, 0.5), 0.25)
        self.assertEqual(flow_metrics.fraction_near(points, candidates, 0.61), 0.5)
        self.assertEqual(flow_metrics.fraction_near(points, candidates[:0], 1.0), 0.0)
