"""Tests of `hgn_jax.metrics.beyond_clip` on numbers whose answer is known."""

import numpy as np
import scipy.integrate
from absl.testing import absltest, parameterized

from hgn_jax.metrics import beyond_clip

_RNG = np.random.default_rng(0)


class SkillTest(absltest.TestCase):
    def test_skill_is_one_without_error_and_zero_at_the_error_of_the_mean_image(self):
        errors = np.array([[0.0, 0.2, 0.4], [0.0, 0.0, 0.4]])
        skill = beyond_clip.skill_at(errors, 0.4, (1, 2, 3, 4))
        self.assertEqual(skill, {"1": 1.0, "2": 0.75, "3": 0.0, "4": None})

    def test_the_horizon_is_the_median_of_the_first_wrong_steps(self):
        errors = np.zeros((3, 5))
        errors[0, 1], errors[1, 3], errors[2, 4] = 0.2, np.nan, 0.05
        self.assertEqual(beyond_clip.skill_horizon(errors, 1.0), 3.0)
        self.assertEqual(beyond_clip.skill_horizon(errors[2:], 1.0), 5.0)
        self.assertEqual(beyond_clip.skill_horizon(errors[2:], 1.0, threshold=0.96), 4.0)


class StateTest(absltest.TestCase):
    def test_a_clock_is_told_from_oscillations_of_random_phase(self):
        times = 0.2 * np.arange(31)
        phases = _RNG.uniform(0, 2 * np.pi, (500, 1))
        oscillations = np.stack([np.cos(times + phases), np.sin(times + phases)], axis=-1)
        self.assertLess(beyond_clip.clock_share(oscillations), 0.02)
        clock = np.broadcast_to(times[:, None], (500, 31, 1))
        self.assertAlmostEqual(beyond_clip.clock_share(clock), 1.0)
        # A clock whose variance is as large as that of the oscillations takes half of it.
        both = np.concatenate([oscillations, clock / times.std()], axis=-1)
        self.assertAlmostEqual(beyond_clip.clock_share(both), 0.5, delta=0.02)

    def test_reencoding_error_is_relative_to_the_spread_of_the_states(self):
        inferred = 3.0 * _RNG.standard_normal((2000, 4))
        self.assertEqual(beyond_clip.reencoding_error(inferred, inferred), 0.0)
        shifted = inferred + 0.3
        self.assertAlmostEqual(beyond_clip.reencoding_error(shifted, inferred), 0.01, delta=0.001)
        unrelated = 3.0 * _RNG.standard_normal((2000, 4))
        self.assertAlmostEqual(beyond_clip.reencoding_error(unrelated, inferred), 2.0, delta=0.1)

    def test_the_rank_correlation_does_not_depend_on_the_unit_of_energy(self):
        energies = _RNG.uniform(1, 2, 50)
        self.assertAlmostEqual(beyond_clip.rank_correlation(np.exp(3 * energies) - 7, energies), 1.0)
        self.assertAlmostEqual(beyond_clip.rank_correlation(-energies, energies), -1.0)

    def test_quantile_distance_of_a_shift_is_its_size_in_deviations(self):
        reference = 2.0 * _RNG.standard_normal(5000)
        self.assertEqual(beyond_clip.quantile_distance(reference, reference), 0.0)
        distance = beyond_clip.quantile_distance(reference + 1.0, reference)
        self.assertAlmostEqual(distance, 0.5, delta=0.01)


class PeriodTest(parameterized.TestCase):
    def test_periods_of_sines(self):
        times, expected = 0.1 * np.arange(200), np.array([2.0, 3.7, 5.0])
        signals = 4.0 + np.sin(2 * np.pi * times / expected[:, None] + 0.5)
        np.testing.assert_allclose(beyond_clip.periods(signals, 0.1), expected, rtol=2e-3)

    def test_there_is_no_period_without_two_crossings(self):
        self.assertTrue(np.isnan(beyond_clip.periods(np.linspace(-1, 1, 50)[None], 0.1)[0]))

    @parameterized.parameters(0.1, 1.0, 2.3)
    def test_the_pendulum_against_its_equation_of_motion(self, amplitude):
        """A quarter of the period is the time from the turning point to the lowest point."""
        frequency = 6.0**0.5

        def lowest(t, y):
            return y[0]

        lowest.terminal = True
        swing = scipy.integrate.solve_ivp(
            lambda t, y: (y[1], -(frequency**2) * np.sin(y[0])),
            (0, 10), (amplitude, 0.0), events=lowest, rtol=1e-10, atol=1e-12,
        )  # fmt: skip
        self.assertAlmostEqual(beyond_clip.pendulum_period(amplitude, frequency), 4 * swing.t_events[0][0], places=7)


if __name__ == "__main__":
    absltest.main()
