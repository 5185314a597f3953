"""Tests of `hgn_jax.state_densities.mixture` and `whitening`."""

import jax
import numpy as np
import scipy.stats

from hgn_jax.state_densities import mixture
from hgn_jax.state_densities.mixture import Mixture
from hgn_jax.state_densities.whitening import fit_whitening

_KEY = jax.random.PRNGKey(0)
_TWO = Mixture(
    weights=np.array([0.3, 0.7]),
    means=np.array([[-2.0, 0.0], [1.0, 1.0]]),
    factors=np.array([[[0.5, 0.0], [0.3, 0.2]], [[0.4, 0.0], [-0.2, 0.6]]]),
)


def test_log_density_is_that_of_scipy():
    points = np.random.default_rng(0).normal(size=(50, 2))
    density = sum(
        weight * scipy.stats.multivariate_normal(mean, factor @ factor.T).pdf(points)
        for weight, mean, factor in zip(*_TWO, strict=True)
    )
    np.testing.assert_allclose(mixture.log_prob(_TWO, points), np.log(density), rtol=1e-6)


def test_a_fit_recovers_a_mixture_from_its_samples():
    points = mixture.sample(_TWO, _KEY, 6000)
    fitted = mixture.fit_mixture(points[:5000], points[5000:])
    others = mixture.sample(fitted, jax.random.PRNGKey(1), 6000)
    np.testing.assert_allclose(others.mean(axis=0), points.mean(axis=0), atol=0.06)
    np.testing.assert_allclose(np.cov(others.T), np.cov(points.T), atol=0.1)
    divergence = np.mean(mixture.log_prob(_TWO, points[5000:]) - mixture.log_prob(fitted, points[5000:]))
    assert abs(divergence) < 0.02


def test_few_points_get_one_gaussian():
    points = np.random.default_rng(0).normal(size=(5, 3))
    assert len(mixture.fit_mixture(points, points).weights) == 1


def test_whitened_points_have_covariance_one_and_come_back():
    rng = np.random.default_rng(0)
    points = rng.normal(size=(200, 4)) @ rng.normal(size=(4, 4)) + 3.0
    whitening = fit_whitening(points)
    whitened = whitening.whiten(points)
    np.testing.assert_allclose(np.cov(whitened.T, bias=True), np.eye(4), atol=1e-9)
    np.testing.assert_allclose(whitening.unwhiten(whitened), points, atol=1e-9)


def test_constant_directions_are_left_out_and_come_back():
    points = np.random.default_rng(0).normal(size=(200, 2)) @ np.array([[1.0, -1.0, 0.0], [0.5, -0.5, 1.0]]) + 2.0
    whitening = fit_whitening(points)
    whitened = whitening.whiten(points)
    assert whitened.shape == (200, 2)
    np.testing.assert_allclose(whitening.unwhiten(whitened), points, atol=1e-9)
    still = fit_whitening(np.ones((5, 3)))
    np.testing.assert_allclose(still.unwhiten(still.whiten(np.ones((5, 3)))), 1.0)
