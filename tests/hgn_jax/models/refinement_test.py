"""Tests of `hgn_jax.models.refinement`, against scipy; `anchored_hgn_test.py` tests it on models."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import scipy.optimize
from absl.testing import parameterized
from hypothesis import given
from hypothesis import strategies as st

from hgn_jax.models.refinement import (
    LeastSquares,
    central_differences,
    fit_outward,
    forward_derivatives,
    gauss_newton_shift,
    levenberg_marquardt,
)
from tests.hgn_jax.float64 import Float64TestCase

_BATCH, _DIM, _NUM_RESIDUALS = 4, 3, 12


def _observations(z, weights, library=np):
    """Smooth curved functions of a state; each example has its own weights."""
    x = library.einsum("bnd,bd->bn", weights, z)
    return x + 0.3 * library.sin(x) + 0.1 * x**2


def _problem(seed):
    """Weights and data, for which no state leaves nothing unexplained, and a start that is not far off."""
    rng = np.random.default_rng(seed)
    weights = rng.normal(size=(_BATCH, _NUM_RESIDUALS, _DIM))
    solution = 0.5 * rng.normal(size=(_BATCH, _DIM))
    data = _observations(solution, weights) + 0.05 * rng.normal(size=(_BATCH, _NUM_RESIDUALS))
    return weights, data, solution + 0.3 * rng.normal(size=(_BATCH, _DIM))


@functools.partial(jax.jit, static_argnums=3)
def _compute(weights, data, start, differentiate):
    residuals = lambda z: _observations(z, weights, jnp) - data
    return jnp.stack([levenberg_marquardt(residuals, start, n, differentiate) for n in (0, 1, 3, 10)])


def _refined(weights, data, start, differentiate=forward_derivatives):
    """States after 0, 1, 3 and 10 steps, `[4, batch, d]`."""
    return np.asarray(_compute(weights, data, start, differentiate))


def _squared(weights, data, z):
    return np.sum((_observations(z, weights) - data) ** 2, axis=-1)


class LevenbergMarquardtTest(Float64TestCase, parameterized.TestCase):
    # Differences over 0.01 leave an error of 1e-4 of the curvature.
    @parameterized.parameters((forward_derivatives, 1e-7), (central_differences, 1e-4))
    @given(seed=st.integers(0, 1000))
    def test_finds_the_minimum_of_scipy(self, differentiate, tolerance, seed):
        weights, data, start = _problem(seed)
        refined = _refined(weights, data, start, differentiate)[-1]
        for i in range(_BATCH):
            function = lambda z, i=i: np.asarray(_observations(z[None], weights[i : i + 1]))[0] - data[i]
            expected = scipy.optimize.least_squares(function, start[i], xtol=1e-12, ftol=1e-12, gtol=1e-12)
            np.testing.assert_allclose(refined[i], expected.x, atol=tolerance)

    @given(seed=st.integers(0, 1000), distance=st.floats(0.0, 20.0))
    def test_never_raises_an_error(self, seed, distance):
        weights, data, start = _problem(seed)
        start = start + distance * np.random.default_rng(seed).normal(size=start.shape)
        path = _refined(weights, data, start)
        np.testing.assert_array_equal(path[0], start)
        errors = np.stack([_squared(weights, data, z) for z in path])
        self.assertTrue((np.diff(errors, axis=0) <= 0.0).all())

    def test_examples_do_not_matter_to_each_other(self):
        """Not even one whose residuals are no numbers."""
        weights, data, start = _problem(0)
        expected = _refined(weights, data, start)
        spoiled = data.copy()
        spoiled[1] = np.nan
        found = _refined(weights, spoiled, start)
        np.testing.assert_array_equal(found[:, 1], np.broadcast_to(start[1], (4, _DIM)))
        np.testing.assert_array_equal(np.delete(found, 1, axis=1), np.delete(expected, 1, axis=1))


def _blobs(points, library=np):
    """Images `[n, 12, 12, 1]` of two blobs of different brightness at points `[n, 4]`."""
    axis = np.linspace(-3.0, 3.0, 12)
    squared = (axis - points[:, 0::2, None, None]) ** 2 + (axis[:, None] - points[:, 1::2, None, None]) ** 2
    blobs = library.exp(-squared / (2 * 0.6**2))
    return (blobs[:, 0] - 0.5 * blobs[:, 1])[..., None]


@jax.jit
def _shift(points, frames, largest):
    return gauss_newton_shift(lambda points: _blobs(points, jnp), points, frames, largest)


_TIMES = np.arange(-15, 16)
_NEAR, _STEPS = 4, 12


def _oscillations(seed):
    """Noisy oscillations of 20 examples, whose states are frequency and phase, and first guesses of the states."""
    rng = np.random.default_rng(seed)
    true = np.stack([rng.uniform(0.8, 1.2, 20), rng.uniform(-np.pi, np.pi, 20)], axis=1)
    data = _oscillation(true) + 0.05 * rng.normal(size=(20, len(_TIMES)))
    frequency_error = rng.choice([-0.3, 0.3], 20)
    return true, data, true + np.stack([frequency_error, np.zeros(20)], axis=1)


def _oscillation(z, library=np):
    return library.sin(z[:, :1] * _TIMES + z[:, 1:])


class FitOutwardTest(Float64TestCase):
    def _fits(self, data, start, num_steps, near):
        residuals = lambda z: _oscillation(z, jnp) - data
        distances = jnp.broadcast_to(np.abs(_TIMES), data.shape)
        outward = jax.jit(lambda z: fit_outward(LeastSquares(residuals, distances), z, num_steps, near))(start)
        return np.asarray(outward), np.asarray(jax.jit(lambda z: levenberg_marquardt(residuals, z, num_steps))(start))

    def test_arrives_at_the_minimum_of_scipy_where_a_fit_to_all_at_once_does_not(self):
        true, data, start = _oscillations(0)
        expected = [
            scipy.optimize.least_squares(lambda z, y=y: _oscillation(z[None])[0] - y, z).x
            for z, y in zip(true, data, strict=True)
        ]
        outward, at_once = self._fits(data, start, _STEPS, _NEAR)
        np.testing.assert_allclose(outward, expected, atol=1e-5)
        self.assertGreater(np.sum(np.abs(at_once - expected).max(axis=1) > 0.1), 5)

    def test_all_counts_where_all_is_near_enough_and_in_the_only_step(self):
        _, data, start = _oscillations(1)
        for num_steps, near in ((6, 30), (1, 0), (0, 0)):
            np.testing.assert_array_equal(*self._fits(data, start, num_steps, near))

    def test_what_is_far_away_does_not_count_at_first(self):
        """Not even where it is no number, so that no step follows in which it counts."""
        _, data, start = _oscillations(2)
        residuals = lambda z: _oscillation(z, jnp) - data
        counted = lambda number: np.abs(_TIMES) <= jnp.where(number < 2, _NEAR // 2, _NEAR)
        for reach, steps_taken in ((_NEAR // 2, 2), (_NEAR, 4)):
            within = np.abs(_TIMES) <= reach
            found, _ = self._fits(np.where(within, data, np.nan), start, 8, _NEAR)
            fit = functools.partial(levenberg_marquardt, num_steps=steps_taken, counted=counted)
            expected = jax.jit(functools.partial(fit, residuals))(start)
            np.testing.assert_allclose(found, expected, atol=1e-12)
            self.assertGreater(np.abs(found - start).max(), 0.1)


class GaussNewtonShiftTest(Float64TestCase):
    @given(seed=st.integers(0, 1000))
    def test_brings_points_to_where_they_are_painted(self, seed):
        rng = np.random.default_rng(seed)
        places = np.array([-1.2, -0.8, 1.1, 0.9]) + 0.4 * rng.uniform(-1, 1, (3, 4))
        mistakes = 0.1 * rng.uniform(-1, 1, places.shape)
        frames = _blobs(places)
        shifted = places + mistakes + _shift(places + mistakes, frames, 1.0)
        self.assertLess(np.abs(shifted - places).max(), 0.1 * np.abs(mistakes).max())
        np.testing.assert_allclose(_shift(places, frames, 1.0), 0.0, atol=1e-12)
        self.assertLessEqual(np.abs(_shift(places + mistakes, frames, 0.01)).max(), 0.01)
