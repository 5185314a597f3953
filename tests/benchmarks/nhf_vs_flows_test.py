"""Tests of `benchmarks.nhf_vs_flows` and of the modules it uses."""

import importlib.util
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from absl.testing import absltest, parameterized

from benchmarks import density_models, flow_comparison, nhf_vs_flows
from experiments.run.command_line import UserError
from hgn_jax.models.nhf_config import NHFConfig

_SCALE = 1.3
_NHF = NHFConfig(num_links=1, hidden_sizes=(8,), posterior_sizes=(8,), prior="normal", prior_scale=1.0)
_SMALL = {
    "nhf": lambda dim: density_models.nhf_model(_NHF, "NHF", dim),
    "real_nvp": lambda dim: density_models.real_nvp(dim, _SCALE, layers=2, hidden=8),
    "nsf": lambda dim: density_models.neural_spline_flow(dim, _SCALE, layers=2, hidden=8, bins=4),
    "cnf": lambda dim: density_models.continuous_flow(dim, _SCALE, hidden=8),
}


class _ModelTestCase(parameterized.TestCase):
    def make(self, name, dim):
        """Returns a small model with random parameters; some models start as the identity."""
        library = density_models.LIBRARIES.get(name)
        if library and not importlib.util.find_spec(library):
            self.skipTest(f"{library} is not installed")
        model = _SMALL[name](dim)
        leaves, structure = jax.tree.flatten(model.init(jax.random.PRNGKey(0)))
        keys = jax.random.split(jax.random.PRNGKey(1), len(leaves))
        moved = [x + 0.1 * jax.random.normal(key, x.shape) for x, key in zip(leaves, keys, strict=True)]
        params = structure.unflatten(moved)
        if name == "nhf":  # f(p|q) = N(0, I), wide enough everywhere for few momenta to suffice
            params["posterior"] = jax.tree.map(jnp.zeros_like, params["posterior"])
        sample = jax.jit(model.sample, static_argnums=2)
        return model._replace(sample=sample, log_prob=jax.jit(model.log_prob)), params


@pytest.mark.slow  # because of compilation
class DensityTest(_ModelTestCase):
    @parameterized.parameters(*_SMALL)
    def test_is_normalised_and_agrees_with_the_samples(self, name):
        model, params = self.make(name, 2)
        x = model.sample(params, jax.random.PRNGKey(2), 2000)
        log_prob = _with_64_momenta(model) if model.log_weights else model.log_prob
        ticks, width = np.linspace(-10.0, 10.0, 81, retstep=True)
        grid = np.stack(np.meshgrid(ticks, ticks), axis=-1).reshape(-1, 2).astype(np.float32)
        log_density = np.asarray(log_prob(params, jax.random.PRNGKey(3), grid), np.float64)
        mass = width**2 * np.exp(log_density)
        self.assertAlmostEqual(mass.sum(), 1.0, delta=0.02)

        mean = mass @ grid
        spread = np.sqrt(mass @ (grid - mean) ** 2)
        np.testing.assert_allclose(np.mean(x, axis=0), mean, atol=0.1 * spread.max())
        np.testing.assert_allclose(np.std(x, axis=0), spread, rtol=0.1)
        sample_log_prob = np.asarray(log_prob(params, jax.random.PRNGKey(4), x))
        self.assertAlmostEqual(np.mean(sample_log_prob), mass @ log_density, delta=0.1)

    @parameterized.parameters(*((name, 5) for name in _SMALL), ("cnf", 2))
    def test_shapes_and_a_finite_loss_with_gradients(self, name, dim):
        model, params = self.make(name, dim)
        x = model.sample(params, jax.random.PRNGKey(2), 6)
        self.assertEqual(x.shape, (6, dim))
        self.assertEqual(model.joint(params, x, jnp.ones_like(x)).shape, (6,))
        loss, gradient = jax.jit(jax.value_and_grad(model.loss))(params, jax.random.PRNGKey(3), x)
        self.assertTrue(all(np.isfinite(leaf).all() for leaf in (loss, *jax.tree.leaves(gradient))))

    def test_the_probes_of_the_trace_are_unbiased(self):
        model, params = self.make("cnf", 5)
        x = model.sample(params, jax.random.PRNGKey(2), 4)
        noise = jax.random.normal(jax.random.PRNGKey(3), (1000, *x.shape))
        estimates = jax.jit(jax.vmap(model.joint, in_axes=(None, None, 0)))(params, x, noise)
        error = np.std(estimates, axis=0) / math.sqrt(len(noise))
        exact = model.log_prob(params, jax.random.PRNGKey(4), x)
        self.assertTrue(np.all(np.abs(np.mean(estimates, axis=0) - exact) < 5 * error + 1e-3))


def _with_64_momenta(model):
    return jax.jit(lambda *args: jax.nn.logsumexp(model.log_weights(*args, 64), axis=0) - math.log(64))


class ImportanceTest(parameterized.TestCase):
    def test_the_bounds_rise_to_the_log_of_the_mean(self):
        log_weights = np.random.default_rng(0).normal(size=(16, 3))
        bounds = flow_comparison.importance_bounds(log_weights)
        self.assertEqual(list(bounds), [1, 2, 4, 8, 16])
        np.testing.assert_allclose(bounds[1], log_weights.mean(axis=0))
        np.testing.assert_allclose(bounds[16], np.log(np.mean(np.exp(log_weights), axis=0)))
        self.assertTrue(np.all(np.diff(np.stack(list(bounds.values())), axis=0) >= 0))

    @parameterized.parameters(
        ({}, None), ({1: 0.0, 2: 0.0}, 1), ({1: 0.1, 2: 0.004, 4: 0.0}, 2), ({1: None, 2: None}, 2)
    )
    def test_fewest_momenta(self, bias, expected):
        self.assertEqual(flow_comparison.fewest_momenta(bias), expected)


class TargetsTest(parameterized.TestCase):
    @parameterized.parameters(16, 64)
    def test_modes_are_centred_and_eight_deviations_apart(self, dim):
        (target,) = flow_comparison.targets(dim)
        self.assertEqual(target.modes.shape, (8, dim))
        np.testing.assert_allclose(target.modes.mean(axis=0), 0.0, atol=1e-12)
        squares = np.sum((target.modes[:, None] - target.modes) ** 2, axis=-1)
        self.assertAlmostEqual(np.sqrt(squares.sum() / (8 * 7)), 8.0, places=9)

    def test_the_plane_has_two_targets(self):
        self.assertEqual([target.name for target in flow_comparison.targets(2)], ["four_modes", "two_moons"])


class CompareTest(_ModelTestCase):
    @pytest.mark.slow
    def test_rows_and_table(self):
        density_models.MODELS["small"] = lambda dim, scale: _SMALL["nhf"](dim)
        self.addCleanup(density_models.MODELS.pop, "small")
        self.enter_context(absltest.mock.patch.object(flow_comparison, "MAX_MOMENTA", 4))
        self.enter_context(absltest.mock.patch.object(flow_comparison, "_TIMING_SECONDS", 0.0))
        labels = []
        (target, _) = flow_comparison.targets(2)
        settings = flow_comparison.Settings(batch_size=16, points=50)
        rows = flow_comparison.compare(target, ["small"], flow_comparison.regimes(7, 0.02), settings, labels.append)
        self.assertLen(labels, 2)
        self.assertEqual(rows[0]["steps"], 7)
        self.assertGreaterEqual(rows[1]["training_seconds"], 0.02)
        for row in rows:
            self.assertGreater(row["kl"], 0.0)
            self.assertEqual(set(row["ratio_to_nhf"].values()), {1.0})
            self.assertIn(row["regime"], nhf_vs_flows.table(rows))

    @pytest.mark.slow
    def test_training_lowers_the_divergence(self):
        model, params = self.make("real_nvp", 2)
        (target, _) = flow_comparison.targets(2)
        settings = flow_comparison.Settings(batch_size=64, learning_rate=1e-2, points=500)
        trained = flow_comparison.make_trainer(model, target, settings)(flow_comparison.regimes(200, 1.0)[0])
        evaluate = flow_comparison.make_evaluation(model, target, settings)
        self.assertLess(evaluate(trained.params)["kl"], min(1.5, evaluate(params)["kl"]))

    def test_a_diverged_model_has_no_kl(self):
        model = _SMALL["nhf"](2)._replace(log_prob=lambda params, key, x: jnp.full(len(x), jnp.nan), log_weights=None)
        (target, _) = flow_comparison.targets(2)
        score = flow_comparison.make_evaluation(model, target, flow_comparison.Settings(points=10))({})
        self.assertIsNone(score["kl"])
        self.assertIsNone(score["momenta"])

    def test_a_missing_library_is_named_in_one_line(self):
        with self.assertRaisesRegex(UserError, r"^no_such_flows .*pip install -e '\.\[benchmarks\]'$"):
            density_models.library("no_such_flows.flows")
