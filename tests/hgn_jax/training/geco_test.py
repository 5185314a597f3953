"""Tests of `hgn_jax.training.geco`."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
from absl.testing import parameterized

from hgn_jax.training.geco import GECOConfig, geco, saturation


class GECOTest(parameterized.TestCase):
    @parameterized.parameters(0.5, -0.5)
    def test_rises_while_the_constraint_is_violated_and_falls_while_it_holds(self, constraint):
        rule = geco(GECOConfig(initial=37.0))
        state = rule.init()
        multipliers = [float(state.multiplier)]
        self.assertAlmostEqual(multipliers[0], 37.0, places=4)
        for _ in range(5):
            state = rule.update(state, constraint)
            multipliers.append(float(state.multiplier))
        self.assertTrue(np.all(np.sign(np.diff(multipliers)) == np.sign(constraint)))

    @parameterized.parameters((1e3, 1e6), (-1e3, 1e-6))
    def test_saturates(self, constraint, bound):
        rule = geco(GECOConfig(max_change=5.0))
        state = rule.init()
        for _ in range(10):
            state = rule.update(state, constraint)
        np.testing.assert_allclose(state.multiplier, bound, rtol=1e-4)

    def test_follows_the_unbiased_moving_average(self):
        constraints = np.random.default_rng(0).normal(size=30)
        config = GECOConfig(rate=0.1, max_change=100.0, decay=0.9)
        rule = geco(config)
        state, log_multiplier = rule.init(), np.log(config.initial)
        for n in range(1, len(constraints) + 1):
            state = rule.update(state, constraints[n - 1])
            weights = config.decay ** np.arange(n)[::-1]
            log_multiplier += config.rate * np.sum(weights * constraints[:n]) / np.sum(weights)
        np.testing.assert_allclose(state.log_multiplier, log_multiplier, rtol=1e-4)

    def test_a_step_changes_the_logarithm_by_no_more_than_max_change(self):
        rule = geco(GECOConfig(max_change=0.01))
        start = rule.init()
        self.assertAlmostEqual(float(rule.update(start, 1e4).log_multiplier - start.log_multiplier), 0.01, places=5)

    def test_finds_the_multiplier_of_a_constrained_minimum(self):
        # min x^2 subject to (x - 2)^2 <= 1/4 is at x = 3/2, where 2 x + 2 m (x - 2) = 0 gives m = 3.
        rule = geco(GECOConfig(initial=1.0, rate=0.05, decay=0.5, max_change=1.0))

        def step(carry, _):
            x, state = carry
            slope = jax.grad(lambda x: x**2 + state.multiplier * ((x - 2.0) ** 2 - 0.25))(x)
            return (x - 0.05 * slope, rule.update(state, (x - 2.0) ** 2 - 0.25)), None

        (x, state), _ = jax.lax.scan(step, (jnp.float32(0.0), rule.init()), None, length=4000)
        self.assertAlmostEqual(float(x), 1.5, places=3)
        self.assertAlmostEqual(float(state.multiplier), 3.0, places=2)

    def test_saturation(self):
        config = GECOConfig(initial=1.0, minimum=0.5, maximum=2.0, max_change=1.0, decay=0.0)
        for constraint, limit in ((5.0, "maximum"), (0.0, None), (-5.0, "minimum")):
            multiplier = float(geco(config).update(geco(config).init(), constraint).multiplier)
            self.assertEqual(saturation(config, multiplier), limit)

    @parameterized.parameters(
        {"minimum": 0.0}, {"initial": 1e9}, {"decay": 1.0}, {"rate": -1.0}, {"max_change": -0.1}, {"maximum": 1.0}
    )
    def test_invalid_settings_are_refused(self, **setting):
        with self.assertRaisesRegex(ValueError, next(iter(setting))):
            geco(dataclasses.replace(GECOConfig(), **setting))
