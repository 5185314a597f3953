"""Mixtures of Gaussians with full covariances."""

import warnings
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

_NUMBERS_OF_COMPONENTS = (1, 2, 4, 8, 16, 32, 64)
_SMALLEST_VARIANCE = 1e-4  # is added to that of every component, of whitened points
_MAX_ITERATIONS = 100


class Mixture(NamedTuple):
    """A mixture of m Gaussians over points `[n, d]`.

    Attributes:
      weights: Weights of the components, `[m]`, with sum 1.
      means: Their means, `[m, d]`.
      factors: Lower triangular factors L of their covariances L L^T, `[m, d, d]`.
    """

    weights: np.ndarray
    means: np.ndarray
    factors: np.ndarray


def fit_mixture(train: np.ndarray, held_out: np.ndarray, seed: int = 0) -> Mixture:
    """Fits mixtures of 1, 2, 4, ... 64 components to whitened points `[n, d]` and returns the best on those held out.

    A component needs as many points as it has axes, and one more.
    """
    from sklearn.exceptions import ConvergenceWarning  # slow to import, and used only here
    from sklearn.mixture import GaussianMixture

    counts = [count for count in _NUMBERS_OF_COMPONENTS if count == 1 or count * (train.shape[1] + 1) <= len(train)]
    fits = [
        GaussianMixture(count, reg_covar=_SMALLEST_VARIANCE, max_iter=_MAX_ITERATIONS, random_state=seed)
        for count in counts
    ]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # a fit that is not at its optimum is judged all the same
        best = max((fit.fit(train) for fit in fits), key=lambda fit: fit.score(held_out))
    return Mixture(best.weights_, best.means_, np.linalg.cholesky(best.covariances_))


def sample(mixture: Mixture, key: jax.Array, num_samples: int) -> np.ndarray:
    """Draws points `[num_samples, d]`."""
    component_key, noise_key = jax.random.split(key)
    component = jax.random.categorical(component_key, jnp.log(mixture.weights), shape=(num_samples,))
    noise = jax.random.normal(noise_key, (num_samples, mixture.means.shape[1]))
    return mixture.means[component] + np.einsum("nij,nj->ni", mixture.factors[component], noise)


def log_prob(mixture: Mixture, points: np.ndarray) -> np.ndarray:
    """Returns the log-densities of points `[n, d]` in nats, `[n]`."""
    difference = points[:, None, :, None] - mixture.means[:, :, None]
    noise = np.linalg.solve(mixture.factors, difference)[..., 0]
    log_scale = np.sum(np.log(np.diagonal(mixture.factors, axis1=1, axis2=2)), axis=1)
    dim = points.shape[1]
    log_probs = np.log(mixture.weights) - 0.5 * np.sum(noise**2, axis=2) - log_scale - 0.5 * dim * np.log(2.0 * np.pi)
    return np.logaddexp.reduce(log_probs, axis=1)
