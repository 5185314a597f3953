"""Tests of `benchmarks.integrators`."""

import pathlib
import sys

import numpy as np
from absl.testing import absltest, parameterized
from scipy import integrate

from benchmarks import integrators
from benchmarks.integrators import Setting

_SETTING = Setting(batch=4, num_steps=40)


def _solved(angles, time):
    """Returns the angles at a time by scipy, with the pendulum's equation written out."""
    solve = lambda angle: integrate.solve_ivp(
        lambda t, s: (s[1], -np.sin(s[0])), (0.0, time), (angle, 0.0), method="DOP853", rtol=1e-10, atol=1e-10
    )
    return np.array([solve(angle).y[0, -1] for angle in angles])


class IntegratorsTest(parameterized.TestCase):
    @parameterized.parameters(10, 40)
    def test_rollout_integrates_the_pendulum(self, every):
        start = integrators.start(_SETTING.batch)
        expected = _solved(start.q[:, 0], 0.4)
        path = integrators.ours(_SETTING, every)(start)
        self.assertEqual(path.q.shape, (40 // every + 1, 4, 1))
        np.testing.assert_allclose(path.q[-1, :, 0], expected, atol=1e-5)

    def test_diffrax_integrates_the_pendulum_at_first_order(self):
        try:
            functions = {every: integrators.diffrax_rollout(_SETTING, every) for every in (10, 40)}
        except ImportError:
            self.skipTest("diffrax is not installed")
        start = integrators.start(_SETTING.batch)
        for every, function in functions.items():
            path = function(start)
            self.assertEqual(path.q.shape, (40 // every, 4, 1))
            np.testing.assert_allclose(path.q[-1, :, 0], _solved(start.q[:, 0], 0.4), atol=5e-3)

    def test_the_error_is_of_second_order(self):
        error = integrators.errors(_SETTING)["leapfrog"]
        start = integrators.start(_SETTING.batch)
        last = integrators.ours(_SETTING, 40)(start).q[-1, :, 0]
        difference = np.sqrt(np.mean((last - _solved(start.q[:, 0], 0.4)) ** 2))
        self.assertBetween(error, 1e-7, 1e-4)  # the step is 0.01
        self.assertAlmostEqual(error, difference, delta=1e-6)

    def test_states_that_are_not_kept_need_no_memory(self):
        few, many = (integrators.working_memory(1000, every) for every in (2, 200))
        self.assertLess(abs(many - few), 4 * 1000)  # less than one array of the state

    def test_exponent(self):
        self.assertAlmostEqual(integrators.exponent({n: 3.0 * n**1.5 for n in (1, 2, 4, 8)}), 1.5)

    def test_growth_is_measured_and_drawn(self):
        with absltest.mock.patch.object(integrators, "_SWEEP", (0.5, 1.0, 2.0)):
            grown = integrators.growth(Setting(16, 16), 1)
        sizes = {field: list(seconds) for field, seconds in grown.items()}
        self.assertEqual(sizes, {"num_steps": [8, 16, 32], "batch": [8, 16, 32]})
        path = pathlib.Path(self.create_tempdir().full_path) / "growth.png"
        integrators.draw(path, grown, Setting(16, 16))
        self.assertGreater(path.stat().st_size, 1000)

    def test_a_row_says_that_diffrax_is_not_installed(self):
        with absltest.mock.patch.dict(sys.modules, {"diffrax": None}):
            (row,) = integrators.rows(quick=True)
        self.assertIsNone(row.ratio)
        self.assertIn("diffrax is not installed", row.compared_with)
        self.assertIn("steps/s", row.measured)
