"""The type of a density, and densities in any number of dimensions."""

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import chex
import jax
import jax.numpy as jnp
import numpy as np


class Density(NamedTuple):
    """A probability density on R^dim.

    Attributes:
      name: Name of the density.
      dim: Number of coordinates.
      log_prob: Log density in nats, `[..., dim] -> [...]`.
      sample: Exact independent draws, `(key, num_samples) -> [num_samples, dim]`.
      modes: Centres of its separate clusters, `[m, dim]`; `[0, dim]` for a density without clusters, such as a ring.
    """

    name: str
    dim: int
    log_prob: Callable[[jax.Array], jax.Array]
    sample: Callable[[jax.Array, int], jax.Array]
    modes: np.ndarray


def normal(dim: int, scale: float = 1.0) -> Density:
    """The normal distribution N(0, scale^2 I).

    Raises:
      ValueError: Unless `dim` is at least 1 and `scale` is positive.
    """
    require_count(dim=dim)
    require_positive(scale=scale)
    log_normaliser = dim * log_normal_constant(scale)

    def log_prob(x: jax.Array) -> jax.Array:
        return -0.5 * jnp.sum((as_points(x, dim) / scale) ** 2, axis=-1) - log_normaliser

    def sample(key: jax.Array, num_samples: int) -> jax.Array:
        return scale * jax.random.normal(key, (num_samples, dim))

    return Density("normal", dim, log_prob, sample, np.zeros((1, dim)))


def soft_uniform(dim: int, width: float = 4.0, sharpness: float = 8.0) -> Density:
    """The soft-uniform prior of the paper: in every dimension a box with sigmoid edges.

    p(s) = (1 - exp(-b w)) / w * sigmoid(b (s + w/2)) * sigmoid(-b (s - w/2)), with w the width and b the sharpness, is
    the density of the sum of a Uniform(-w/2, w/2) and a Logistic(scale 1/b) variable.

    Args:
      dim: Number of dimensions.
      width: Distance between the two edges, where the density falls to half of its height.
      sharpness: Inverse width of an edge.

    Raises:
      ValueError: Unless `dim` is at least 1 and the others are positive.
    """
    require_count(dim=dim)
    require_positive(width=width, sharpness=sharpness)
    # expm1, because 1 - exp(-b w) has no digits left where b w is small.
    log_normaliser = dim * (math.log(width) - math.log(-math.expm1(-sharpness * width)))

    def log_prob(x: jax.Array) -> jax.Array:
        x = as_points(x, dim)
        edges = jax.nn.log_sigmoid(sharpness * (x + width / 2)) + jax.nn.log_sigmoid(-sharpness * (x - width / 2))
        return jnp.sum(edges, axis=-1) - log_normaliser

    def sample(key: jax.Array, num_samples: int) -> jax.Array:
        box_key, edge_key = jax.random.split(key)
        box = jax.random.uniform(box_key, (num_samples, dim), minval=-width / 2, maxval=width / 2)
        return box + jax.random.logistic(edge_key, (num_samples, dim)) / sharpness

    return Density("soft_uniform", dim, log_prob, sample, np.zeros((1, dim)))


def gaussian_mixture(
    means: np.ndarray, scale: float, weights: Sequence[float] | None = None, name: str = "gaussian_mixture"
) -> Density:
    """A mixture of isotropic Gaussians of equal scale.

    Args:
      means: Centres, `[m, dim]`.
      scale: Standard deviation of each Gaussian in every direction.
      weights: Relative weights, `[m]`; equal by default.
      name: Name of the density.

    Raises:
      ValueError: Unless there is at least one mean, all means are finite, and `scale` and all weights are positive.
    """
    means = np.asarray(means, np.float64)
    if means.ndim != 2 or not means.size or not np.isfinite(means).all():
        raise ValueError(f"means must be finite numbers of shape [m, dim], got {means.tolist()}")
    require_positive(scale=scale)
    weights = _normalised(weights, len(means))
    dim = means.shape[1]

    def log_prob(x: jax.Array) -> jax.Array:
        return mixture_log_prob(as_points(x, dim), means, scale, weights)

    def sample(key: jax.Array, num_samples: int) -> jax.Array:
        choice_key, noise_key = jax.random.split(key)
        chosen = jax.random.choice(choice_key, len(means), (num_samples,), p=jnp.asarray(weights))
        return jnp.asarray(means)[chosen] + scale * jax.random.normal(noise_key, (num_samples, dim))

    return Density(name, dim, log_prob, sample, means)


def mixture_log_prob(x: jax.Array, means: np.ndarray, scale: float, weights: np.ndarray) -> jax.Array:
    """Log of sum_k weights_k N(x; means_k, scale^2 I), for points `[..., dim]` and means `[m, dim]`."""
    separation = (x[..., None, :] - jnp.asarray(means, x.dtype)) / scale
    log_components = jnp.asarray(np.log(weights), x.dtype) - 0.5 * jnp.sum(separation**2, axis=-1)
    return jax.nn.logsumexp(log_components, axis=-1) - means.shape[-1] * log_normal_constant(scale)


def log_normal_constant(scale: float) -> float:
    """Log of the integral of exp(-x^2 / 2 scale^2) over the line."""
    return math.log(scale) + 0.5 * math.log(2 * math.pi)


def as_points(x: jax.Array, dim: int) -> jax.Array:
    """Checks that `x` holds points `[..., dim]`, and converts integers to floating point."""
    x = jnp.asarray(x)
    chex.assert_axis_dimension(x, -1, dim)
    return x.astype(jnp.result_type(x, float))


def require_positive(**settings: float) -> None:
    """Raises ValueError if a setting, passed by its name, is not positive and finite."""
    for name, value in settings.items():
        if not 0 < value < math.inf:
            raise ValueError(f"{name} must be a positive number, got {value}")


def require_count(**settings: int) -> None:
    """Raises ValueError if a setting, passed by its name, is not a whole number from 1 upwards."""
    for name, value in settings.items():
        if not isinstance(value, int | np.integer) or value < 1:
            raise ValueError(f"{name} must be a whole number, 1 or more, got {value}")


def _normalised(weights: Sequence[float] | None, count: int) -> np.ndarray:
    """Scales the weights to sum 1; None stands for equal weights."""
    weights = np.ones(count) if weights is None else np.asarray(weights, np.float64)
    if weights.shape != (count,) or not (np.isfinite(weights) & (weights > 0)).all():
        raise ValueError(f"weights must be {count} positive numbers, one for each mean, got {weights.tolist()}")
    return weights / weights.sum()
