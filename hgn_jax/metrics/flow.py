"""What is measured of a Neural Hamiltonian Flow: likelihood, exactness of the map, and what its potential learned.

Log-densities and their differences are in nats.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from scipy import ndimage, special, stats

from hgn_jax.physics.phase_space import PhaseState


def mean_and_error(values: np.ndarray) -> dict[str, float]:
    """Mean and its standard error, of independent numbers `[n]`."""
    return {"mean": float(np.mean(values)), "standard_error": float(np.std(values, ddof=1) / np.sqrt(len(values)))}


def importance_weighted(log_weights: np.ndarray, num_samples: int) -> np.ndarray:
    """The importance-weighted bound L_K of Burda et al. 2016 for K = `num_samples`, per point.

    Args:
      log_weights: `[samples, points]`, K or a multiple of it; every K of them give one estimate of L_K, and these are
        averaged. K = 1 gives the ELBO.

    Raises:
      ValueError: if the number of samples is no multiple of `num_samples`.
    """
    total, num_points = log_weights.shape
    if total % num_samples:
        raise ValueError(f"{total} samples cannot be divided into groups of {num_samples}")
    groups = log_weights.reshape(-1, num_samples, num_points).astype(np.float64)
    return np.mean(special.logsumexp(groups, axis=1) - np.log(num_samples), axis=0)


def gaussian_log_prob(train: np.ndarray, test: np.ndarray) -> np.ndarray:
    """A reference row: the log-density at `test` `[n, d]` of the Gaussian with mean and covariance of `train`."""
    gaussian = stats.multivariate_normal(train.mean(axis=0), np.cov(train, rowvar=False), allow_singular=True)
    return np.atleast_1d(gaussian.logpdf(test))


def map_errors(
    push_forward: Callable[[PhaseState], PhaseState],
    pull_back: Callable[[PhaseState], PhaseState],
    state: PhaseState,
) -> dict[str, float]:
    """How far a map of phase space is from one with an exact inverse and unit volume, at worst over `state` `[n, d]`.

    Returns:
      `inverse`: the largest distance of a coordinate from where it was after both maps, over the largest coordinate of
      the states on either side; `volume`: the largest | |det J| - 1 | of `push_forward`.
    """
    there = push_forward(state)
    back = pull_back(there)
    size = max(jnp.max(jnp.abs(x)) for x in (*state, *there))
    distance = max(jnp.max(jnp.abs(x - y)) for x, y in zip(state, back, strict=True))

    def flat(s):
        end = push_forward(PhaseState(*(x[None] for x in jnp.split(s, 2))))
        return jnp.concatenate([end.q[0], end.p[0]])

    jacobians = jax.vmap(jax.jacfwd(flat))(jnp.concatenate(state, axis=-1))
    volume = jnp.max(jnp.abs(jnp.abs(jnp.linalg.det(jacobians)) - 1.0))
    return {"inverse": float(distance / size), "volume": float(volume)}


def minima_on_grid(values: np.ndarray, axes: tuple[np.ndarray, ...]) -> np.ndarray:
    """The points `[m, d]` of the grid spanned by `axes` where `values` are lowest among neighbours; edges left out."""
    lowest = values == ndimage.minimum_filter(values, size=3, mode="nearest")
    inner = np.zeros_like(lowest)
    inner[(slice(1, -1),) * values.ndim] = True
    return np.stack([axis[i] for axis, i in zip(axes, np.nonzero(lowest & inner), strict=True)], axis=-1)


def fraction_near(points: np.ndarray, others: np.ndarray, distance: float) -> float:
    """The fraction of `points` `[n, d]` that have one of `others` `[m, d]` within a distance."""
    if not len(others):
        return 0.0
    apart = np.linalg.norm(points[:, None] - others[None], axis=-1)
    return float(np.mean(apart.min(axis=1) <= distance))
