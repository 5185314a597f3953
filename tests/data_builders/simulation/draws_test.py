"""Tests of the random draws."""

import dataclasses

import numpy as np
from absl.testing import parameterized
from scipy import stats

from data_builders.simulation import draws
from tests.data_builders.simulation.settings import ALL, PENDULUM, THREE_BODY, TWO_BODY

FULL_CHUNKS = True  # see conftest.py


def polar(start):
    """Returns the radius and the angle that were drawn, computed from initial states."""
    if start.q.ndim == 2:
        x, y = start.q.ravel(), start.p.ravel()
    else:
        x, y = start.q[:, 0, 0], start.q[:, 0, 1]
    return np.hypot(x, y), np.mod(np.arctan2(y, x), 2 * np.pi)


class InitialStatesTest(parameterized.TestCase):
    @parameterized.named_parameters(*ALL)
    def test_radius_and_angle_are_uniform_and_independent(self, setting):
        starts = [draws.initial_states(setting, "train", chunk) for chunk in range(6)]
        radius, angle = np.concatenate([polar(start) for start in starts], axis=1)
        low, high = setting.radius_range
        self.assertGreater(stats.kstest(radius, "uniform", (low, high - low)).pvalue, 1e-3)
        self.assertGreater(stats.kstest(angle, "uniform", (0.0, 2 * np.pi)).pvalue, 1e-3)
        table, *_ = np.histogram2d(radius, angle, bins=(5, 6))
        self.assertGreater(stats.chi2_contingency(table).pvalue, 1e-3)

    def test_two_bodies_start_tangentially_with_perturbed_speed(self):
        start = draws.initial_states(TWO_BODY, "train", 0)
        np.testing.assert_allclose(np.sum(start.q * start.p, axis=-1), 0.0, atol=1e-12)
        radius = np.linalg.norm(start.q[:, 0], axis=-1)
        # v^2 / r = 1 / (2 r)^2; the mean of two perturbed speeds varies by 10 % / sqrt(2).
        relative = np.linalg.norm(start.p[:, 0], axis=-1) * np.sqrt(4 * radius)
        self.assertAlmostEqual(relative.mean(), 1.0, delta=4 * 0.0707 / np.sqrt(500))
        self.assertGreater(stats.kstest((relative - 1.0) / (0.1 / np.sqrt(2)), "norm").pvalue, 1e-3)

    @parameterized.parameters(TWO_BODY, THREE_BODY)
    def test_unequal_bodies_rest_as_a_whole(self, setting):
        setting = dataclasses.replace(setting, constant_ranges={"m": (0.5, 1.5), "g": (0.5, 1.5)})
        masses = draws.draw_constants(setting, "train", 0)["m"]
        start = draws.initial_states(setting, "train", 0)
        np.testing.assert_allclose(start.p.sum(axis=1), 0.0, atol=1e-12)
        np.testing.assert_allclose(np.sum(masses[..., None] * start.q, axis=1), 0.0, atol=1e-12)

    @parameterized.named_parameters(*ALL)
    def test_splits_chunks_attempts_and_seeds_differ(self, setting):
        other_seed = dataclasses.replace(setting, seed=1)
        starts = [draws.initial_states(setting, split, chunk).q for split in draws.SPLITS for chunk in range(6)]
        starts += [draws.initial_states(setting, "train", 0, attempt=1).q]
        starts += [draws.initial_states(other_seed, "train", 0).q]
        rows = np.concatenate(starts).reshape(14 * draws.CHUNK_SIZE, -1)
        self.assertLen(np.unique(rows, axis=0), len(rows))


class DrawConstantsTest(parameterized.TestCase):
    def test_are_uniform_and_independent(self):
        setting = dataclasses.replace(THREE_BODY, constant_ranges={"m": (0.5, 1.5), "g": (1.0, 3.0)})
        chunks = [draws.draw_constants(setting, "train", chunk) for chunk in range(4)]
        masses, gravity = (np.concatenate([chunk[name] for chunk in chunks]) for name in ("m", "g"))
        self.assertEqual((masses.shape, gravity.shape), ((2000, 3), (2000,)))
        columns = [*masses.T - 0.5, (gravity - 1.0) / 2.0]
        for column in columns:
            self.assertGreater(stats.kstest(column, "uniform").pvalue, 1e-3)
        self.assertLess(np.abs(np.corrcoef(columns) - np.eye(4)).max(), 0.1)

    def test_none_without_ranges(self):
        self.assertEqual(draws.draw_constants(PENDULUM, "train", 0), {})
