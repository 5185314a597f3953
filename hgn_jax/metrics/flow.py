"""Measurements of a Neural Hamiltonian Flow: its likelihood, the exactness of its map and the minima of its potential.

Log-densities and their differences are in nats.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from scipy import ndimage, special, stats

from hgn_jax.physics.phase_space import PhaseState


def mean_and_error(values: np.ndarray) -> dict[str, float]:
    """Returns the `mean` of independent numbers `[n]` and its `standard_error`."""
    return {"mean": float(np.mean(values)), "standard_error": float(np.std(values, ddof=1) / np.sqrt(len(values)))}


def importance_weighted(log_weights: np.ndarray, num_samples: int) -> np.ndarray:
    """The importance-weighted bound L_K of Burda et al. (2016); K = 1 gives the ELBO.

    Args:
      log_weights: Logarithms of the importance weights, `[samples, points]`. Each group of K samples gives one estimate
        of L_K; the estimates are averaged.
      num_samples: Number K of samples per estimate.

    Returns:
      The bound of each point, `[points]`.

    Raises:
      ValueError: If the number of samples is not a multiple of `num_samples`.
    """
    total, num_points = log_weights.shape
    if total % num_samples:
        raise ValueError(f"{total} samples cannot be divided into groups of {num_samples}")
    groups = log_weights.reshape(-1, num_samples, num_points).astype(np.float64)
    return np.mean(special.logsumexp(groups, axis=1) - np.log(num_samples), axis=0)


def log_prob_and_error(log_weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The importance-weighted log-density of each point from all samples, and its standard error.

    The error is that of the logarithm of a mean, by the delta method: the standard deviation of the weights over their
    mean and the root of their number. It is too small where few weights dominate, as in far tails.

    Args:
      log_weights: Logarithms of the importance weights, `[samples, points]`, of at least two samples.

    Returns:
      Log-densities `[points]` and their standard errors `[points]`, in nats; -inf and NaN where all weights are 0.
    """
    log_weights = log_weights.astype(np.float64)
    log_mean = special.logsumexp(log_weights, axis=0) - np.log(len(log_weights))
    with np.errstate(invalid="ignore"):
        relative = np.exp(log_weights - log_mean)
    return log_mean, np.std(relative, axis=0, ddof=1) / np.sqrt(len(log_weights))


def gaussian_log_prob(train: np.ndarray, test: np.ndarray) -> np.ndarray:
    """The log-density of test points under a Gaussian with the mean and covariance of the training points.

    Args:
      train: Training points, `[n, d]`.
      test: Test points, `[m, d]`.

    Returns:
      Log-densities, `[m]`.
    """
    gaussian = stats.multivariate_normal(train.mean(axis=0), np.cov(train, rowvar=False), allow_singular=True)
    return np.atleast_1d(gaussian.logpdf(test))


def map_errors(
    push_forward: Callable[[PhaseState], PhaseState],
    pull_back: Callable[[PhaseState], PhaseState],
    state: PhaseState,
) -> dict[str, float]:
    """The largest errors of a map of phase space that should have an exact inverse and preserve volume.

    Args:
      push_forward: The map, of states `[n, d]`.
      pull_back: Its inverse.
      state: States at which to measure, `q` and `p` of shape `[n, d]`.

    Returns:
      `inverse`: the largest error of a coordinate after the map and its inverse, relative to the largest coordinate of
      `state` and its image; `volume`: the largest | |det J| - 1 | of `push_forward`.
    """
    image = push_forward(state)
    recovered = pull_back(image)
    size = max(jnp.max(jnp.abs(x)) for x in (*state, *image))
    distance = max(jnp.max(jnp.abs(x - y)) for x, y in zip(state, recovered, strict=True))

    def push_forward_flat(flat_state: jax.Array) -> jax.Array:
        end = push_forward(PhaseState(*(x[None] for x in jnp.split(flat_state, 2))))
        return jnp.concatenate([end.q[0], end.p[0]])

    jacobians = jax.vmap(jax.jacfwd(push_forward_flat))(jnp.concatenate(state, axis=-1))
    volume = jnp.max(jnp.abs(jnp.abs(jnp.linalg.det(jacobians)) - 1.0))
    return {"inverse": float(distance / size), "volume": float(volume)}


def minima_on_grid(values: np.ndarray, axes: tuple[np.ndarray, ...]) -> np.ndarray:
    """The local minima of a function on a grid, without those on its edges.

    Args:
      values: Values of the function, one axis per dimension.
      axes: Coordinates along each of the d axes.

    Returns:
      The points of the grid that are lowest among their neighbours, `[m, d]`.
    """
    lowest = values == ndimage.minimum_filter(values, size=3, mode="nearest")
    inner = np.zeros_like(lowest)
    inner[(slice(1, -1),) * values.ndim] = True
    return np.stack([axis[i] for axis, i in zip(axes, np.nonzero(lowest & inner), strict=True)], axis=-1)


def fraction_near(points: np.ndarray, candidates: np.ndarray, distance: float) -> float:
    """Returns the fraction of the points `[n, d]` with at least one candidate `[m, d]` within a distance."""
    if not len(candidates):
        return 0.0
    distances = np.linalg.norm(points[:, None] - candidates[None], axis=-1)
    return float(np.mean(distances.min(axis=1) <= distance))
