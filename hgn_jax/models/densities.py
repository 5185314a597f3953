"""Densities with exact samplers: the priors and the synthetic targets of the Neural Hamiltonian Flow (Sec. 3.3).

Every log density is normalised, in nats, and computed in the precision of its argument. Samples come in JAX's default
precision.
"""

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
      name: what it is called.
      dim: number of coordinates.
      log_prob: log density in nats, `[..., dim] -> [...]`.
      sample: exact independent draws, `(key, num_samples) -> [num_samples, dim]`.
      modes: centres of its separate clusters `[m, dim]`; `[0, dim]` where it has none, as on a ring.
    """

    name: str
    dim: int
    log_prob: Callable[[jax.Array], jax.Array]
    sample: Callable[[jax.Array, int], jax.Array]
    modes: np.ndarray


def normal(dim: int, scale: float = 1.0) -> Density:
    """The normal distribution N(0, scale^2 I).

    Raises:
      ValueError: unless `dim` is at least 1 and `scale` positive.
    """
    _require_count(dim=dim)
    _require_positive(scale=scale)
    log_normaliser = dim * _log_normal_constant(scale)

    def log_prob(x):
        return -0.5 * jnp.sum((_points(x, dim) / scale) ** 2, axis=-1) - log_normaliser

    def sample(key, num_samples):
        return scale * jax.random.normal(key, (num_samples, dim))

    return Density("normal", dim, log_prob, sample, np.zeros((1, dim)))


def soft_uniform(dim: int, width: float = 4.0, sharpness: float = 8.0) -> Density:
    """The soft-uniform prior: in every dimension a box with sigmoid edges.

    p(s) = (1 - exp(-b w)) / w * sigmoid(b (s + w/2)) * sigmoid(-b (s - w/2)), with w the width and b the sharpness, is
    the density of a Uniform(-w/2, w/2) plus a Logistic(scale 1/b) variable.

    Args:
      dim: number of dimensions.
      width: distance between the two edges, where the density is half of its height.
      sharpness: inverse width of an edge.

    Raises:
      ValueError: unless `dim` is at least 1 and the others positive.
    """
    _require_count(dim=dim)
    _require_positive(width=width, sharpness=sharpness)
    # expm1, because 1 - exp(-b w) has no digits left where b w is small.
    log_normaliser = dim * (math.log(width) - math.log(-math.expm1(-sharpness * width)))

    def log_prob(x):
        x = _points(x, dim)
        edges = jax.nn.log_sigmoid(sharpness * (x + width / 2)) + jax.nn.log_sigmoid(-sharpness * (x - width / 2))
        return jnp.sum(edges, axis=-1) - log_normaliser

    def sample(key, num_samples):
        box_key, edge_key = jax.random.split(key)
        box = jax.random.uniform(box_key, (num_samples, dim), minval=-width / 2, maxval=width / 2)
        return box + jax.random.logistic(edge_key, (num_samples, dim)) / sharpness

    return Density("soft_uniform", dim, log_prob, sample, np.zeros((1, dim)))


def gaussian_mixture(
    means: np.ndarray, scale: float, weights: Sequence[float] | None = None, name: str = "gaussian_mixture"
) -> Density:
    """A mixture of isotropic Gaussians of one scale.

    Args:
      means: centres, `[m, dim]`.
      scale: standard deviation of each in every direction.
      weights: `[m]` relative weights, normalised here; by default equal.
      name: name of the density.

    Raises:
      ValueError: unless there is a mean, all means are finite, `scale` is positive and so is every weight.
    """
    means = np.asarray(means, np.float64)
    if means.ndim != 2 or not means.size or not np.isfinite(means).all():
        raise ValueError(f"means must be finite numbers of shape [m, dim], got {means.tolist()}")
    _require_positive(scale=scale)
    weights = _normalised(weights, len(means))
    dim = means.shape[1]

    def log_prob(x):
        return _mixture_log_prob(_points(x, dim), means, scale, weights)

    def sample(key, num_samples):
        choice_key, noise_key = jax.random.split(key)
        chosen = jax.random.choice(choice_key, len(means), (num_samples,), p=jnp.asarray(weights))
        return jnp.asarray(means)[chosen] + scale * jax.random.normal(noise_key, (num_samples, dim))

    return Density(name, dim, log_prob, sample, means)


def ring_mixture(num_modes: int, radius: float, scale: float, name: str = "ring_mixture") -> Density:
    """Equal Gaussians of standard deviation `scale`, evenly spaced on a circle of the plane, the first at (radius, 0).

    Raises:
      ValueError: unless there is a mode, and `radius` and `scale` are positive.
    """
    _require_count(num_modes=num_modes)
    _require_positive(radius=radius)
    return gaussian_mixture(radius * _directions(2 * np.pi * np.arange(num_modes) / num_modes), scale, name=name)


def grid_mixture(modes_per_side: int, spacing: float, scale: float, name: str = "grid_mixture") -> Density:
    """Equal Gaussians of standard deviation `scale` on a square grid of the plane, centred at the origin.

    Raises:
      ValueError: unless there is a mode, and `spacing` and `scale` are positive.
    """
    _require_count(modes_per_side=modes_per_side)
    _require_positive(spacing=spacing)
    ticks = spacing * (np.arange(modes_per_side) - (modes_per_side - 1) / 2)
    means = np.stack(np.meshgrid(ticks, ticks, indexing="ij"), axis=-1).reshape(-1, 2)
    return gaussian_mixture(means, scale, name=name)


def two_moons(radius: float = 2.0, scale: float = 0.2) -> Density:
    """Two interleaved half circles, uniform along the arc, blurred by Gaussian noise; the mean is the origin.

    The first arc is the upper half of a circle about (-radius/2, -radius/4), the other its reflection x -> -x. The
    integral over the angle is a Gauss-Legendre sum, with a relative error below 1e-8 within three radii of the origin.

    Args:
      radius: of the arcs.
      scale: standard deviation of the noise.

    Raises:
      ValueError: unless both are positive and `scale` is at least a hundredth of `radius`.
    """
    _require_positive(radius=radius, scale=scale)
    if scale < radius / 100:  # the nodes of the quadrature grow as radius / scale
        raise ValueError(f"two_moons needs scale >= radius / 100, got scale={scale} and radius={radius}")
    centre = radius * np.array([0.5, 0.25])

    nodes, weights = np.polynomial.legendre.leggauss(max(48, math.ceil(12 * radius / scale)))
    arc = radius * _directions(np.pi * (nodes + 1) / 2) - centre
    points, weights = np.concatenate([arc, -arc]), np.concatenate([weights, weights]) / 4

    def log_prob(x):
        return _mixture_log_prob(_points(x, 2), points, scale, weights)

    def sample(key, num_samples):
        angle_key, side_key, noise_key = jax.random.split(key, 3)
        angle = jax.random.uniform(angle_key, (num_samples,), maxval=jnp.pi)
        side = jax.random.rademacher(side_key, (num_samples, 1), dtype=angle.dtype)
        arc = side * (radius * _directions(angle, jnp) - centre)
        return arc + scale * jax.random.normal(noise_key, (num_samples, 2))

    return Density("two_moons", 2, log_prob, sample, np.zeros((0, 2)))


def rings(radii: Sequence[float] = (1.0, 2.0, 3.0), scale: float = 0.15) -> Density:
    """Circles about the origin of the plane, all of equal weight, blurred by Gaussian noise.

    The integral of the Gaussian over a circle of radius r is, with the Bessel function I_0,
    exp(-(|x|^2 + r^2) / 2 s^2) I_0(|x| r / s^2) / (2 pi s^2).

    Args:
      radii: of the circles.
      scale: s, the standard deviation of the noise.

    Raises:
      ValueError: unless there is a circle, and the radii and `scale` are positive.
    """
    if not len(radii):
        raise ValueError("rings needs one radius or more")
    for radius in radii:
        _require_positive(radius=radius)
    _require_positive(scale=scale)
    radii = np.asarray(radii, np.float64)
    log_normaliser = 2 * _log_normal_constant(scale) + math.log(len(radii))

    def log_prob(x):
        distance = _norm(_points(x, 2))[..., None]
        radius = jnp.asarray(radii, distance.dtype)
        bessel = jax.scipy.special.i0e(distance * radius / scale**2)  # e^-z I_0(z) turns |x|^2 + r^2 into (|x| - r)^2
        log_rings = -0.5 * ((distance - radius) / scale) ** 2 + jnp.log(bessel)
        return jax.nn.logsumexp(log_rings, axis=-1) - log_normaliser

    def sample(key, num_samples):
        choice_key, angle_key, noise_key = jax.random.split(key, 3)
        radius = jax.random.choice(choice_key, jnp.asarray(radii), (num_samples, 1))
        angle = jax.random.uniform(angle_key, (num_samples,), maxval=2 * jnp.pi)
        return radius * _directions(angle, jnp) + scale * jax.random.normal(noise_key, (num_samples, 2))

    return Density("rings", 2, log_prob, sample, np.zeros((0, 2)))


def pinwheel(
    num_arms: int = 5,
    distance: float = 2.0,
    radial_scale: float = 0.6,
    tangential_scale: float = 0.15,
    twist: float = 0.5,
) -> Density:
    """Arms of a whirl: elongated Gaussians about the origin of the plane, turned the more the further out.

    Every point turns by `twist` times its distance from the origin. That keeps areas, so the density is the one of the
    straight Gaussians at the point turned back.

    Args:
      num_arms: how many.
      distance: of the centres of the arms from the origin.
      radial_scale: standard deviation along an arm.
      tangential_scale: standard deviation across it.
      twist: angle in radians per unit of distance; any sign.

    Raises:
      ValueError: unless there is an arm, `twist` is finite and the others are positive.
    """
    _require_count(num_arms=num_arms)
    _require_positive(distance=distance, radial_scale=radial_scale, tangential_scale=tangential_scale)
    if not math.isfinite(twist):
        raise ValueError(f"twist must be a finite number, got {twist}")
    arms = 2 * np.pi * np.arange(num_arms) / num_arms
    log_normaliser = _log_normal_constant(radial_scale) + _log_normal_constant(tangential_scale) + math.log(num_arms)

    def log_prob(x):
        x = _points(x, 2)
        along, across = _turn(x[..., None, :], -twist * _norm(x)[..., None] - jnp.asarray(arms, x.dtype))
        squares = ((along - distance) / radial_scale) ** 2 + (across / tangential_scale) ** 2
        return jax.nn.logsumexp(-0.5 * squares, axis=-1) - log_normaliser

    def sample(key, num_samples):
        arm_key, noise_key = jax.random.split(key)
        arm = jax.random.choice(arm_key, jnp.asarray(arms), (num_samples,))
        noise = jax.random.normal(noise_key, (num_samples, 2))
        straight = noise * jnp.array([radial_scale, tangential_scale]) + jnp.array([distance, 0.0])
        return jnp.stack(_turn(straight, arm + twist * _norm(straight)), axis=-1)

    return Density("pinwheel", 2, log_prob, sample, distance * _directions(arms + twist * distance))


def checkerboard(squares_per_side: int = 4, width: float = 2.0) -> Density:
    """The uniform density on every other square of a board in the plane, centred at the origin.

    The lower left square is one of them. The log density is -inf outside; its gradient is zero everywhere.

    Args:
      squares_per_side: an even number.
      width: of a square.

    Raises:
      ValueError: unless `squares_per_side` is even and positive, and `width` positive.
    """
    _require_count(squares_per_side=squares_per_side)
    if squares_per_side % 2:
        raise ValueError(f"squares_per_side must be even, got {squares_per_side}")
    _require_positive(width=width)
    half = squares_per_side // 2
    board = np.stack(np.meshgrid(*[np.arange(-half, half)] * 2, indexing="ij"), axis=-1).reshape(-1, 2)
    corners = width * board[board.sum(axis=1) % 2 == 0]  # lower left ones; -half - half is even
    log_height = -math.log(len(corners) * width**2)

    def log_prob(x):
        square = jnp.floor(_points(x, 2) / width)
        inside = jnp.all((square >= -half) & (square < half), axis=-1)
        return jnp.where(inside & (jnp.sum(square, axis=-1) % 2 == 0), log_height, -jnp.inf).astype(square.dtype)

    def sample(key, num_samples):
        choice_key, place_key = jax.random.split(key)
        corner = jax.random.choice(choice_key, jnp.asarray(corners), (num_samples,))
        return corner + width * jax.random.uniform(place_key, (num_samples, 2))

    return Density("checkerboard", 2, log_prob, sample, corners + width / 2)


# The data of the experiments, all of them roughly inside [-4, 4]^2.
TARGETS: dict[str, Callable[[], Density]] = {
    "two_modes": lambda: gaussian_mixture([[-2.0, 0.0], [2.0, 0.0]], 0.5, name="two_modes"),
    "four_modes": lambda: grid_mixture(2, 4.0, 0.5, name="four_modes"),
    "nine_modes": lambda: grid_mixture(3, 2.0, 0.3, name="nine_modes"),
    "ring_of_eight": lambda: ring_mixture(8, 4.0 / math.sqrt(2), 0.5 / math.sqrt(2), name="ring_of_eight"),
    "grid_of_25": lambda: grid_mixture(5, 1.5, 0.2, name="grid_of_25"),
    "two_moons": two_moons,
    "rings": rings,
    "pinwheel": pinwheel,
    "checkerboard": checkerboard,
}


def get_target(name: str) -> Density:
    """Returns the target called `name`; raises ValueError listing the names there are."""
    if name not in TARGETS:
        raise ValueError(f"unknown target {name!r}; choose one of {', '.join(TARGETS)}")
    return TARGETS[name]()


def _mixture_log_prob(x: jax.Array, means: np.ndarray, scale: float, weights: np.ndarray) -> jax.Array:
    """Log of sum_k weights_k N(x; means_k, scale^2 I)."""
    separation = (x[..., None, :] - jnp.asarray(means, x.dtype)) / scale
    log_components = jnp.asarray(np.log(weights), x.dtype) - 0.5 * jnp.sum(separation**2, axis=-1)
    return jax.nn.logsumexp(log_components, axis=-1) - means.shape[-1] * _log_normal_constant(scale)


def _log_normal_constant(scale: float) -> float:
    """Log of the integral of exp(-x^2 / 2 scale^2) over the line."""
    return math.log(scale) + 0.5 * math.log(2 * math.pi)


def _points(x: jax.Array, dim: int) -> jax.Array:
    """`x` as floating-point numbers of their own precision, checked to be points `[..., dim]`."""
    x = jnp.asarray(x)
    chex.assert_axis_dimension(x, -1, dim)
    return x.astype(jnp.result_type(x, float))


def _norm(x: jax.Array) -> jax.Array:
    """Length of the vectors `[..., d]`, with gradient zero, not nan, at the origin."""
    square = jnp.sum(x**2, axis=-1)
    away = square > 0
    return jnp.where(away, jnp.sqrt(jnp.where(away, square, 1.0)), 0.0)


def _directions(angle: jax.Array, numpy=np) -> jax.Array:
    """Unit vectors `[..., 2]` of the plane at these angles."""
    return numpy.stack([numpy.cos(angle), numpy.sin(angle)], axis=-1)


def _turn(x: jax.Array, angle: jax.Array) -> tuple[jax.Array, jax.Array]:
    """The two coordinates of the vectors `x` of the plane turned anticlockwise."""
    cos, sin = jnp.cos(angle), jnp.sin(angle)
    return cos * x[..., 0] - sin * x[..., 1], sin * x[..., 0] + cos * x[..., 1]


def _normalised(weights: Sequence[float] | None, count: int) -> np.ndarray:
    """Weights that sum to one, equal ones for None."""
    weights = np.ones(count) if weights is None else np.asarray(weights, np.float64)
    if weights.shape != (count,) or not (np.isfinite(weights) & (weights > 0)).all():
        raise ValueError(f"weights must be {count} positive numbers, one for each mean, got {weights.tolist()}")
    return weights / weights.sum()


def _require_positive(**settings: float) -> None:
    for name, value in settings.items():
        if not 0 < value < math.inf:
            raise ValueError(f"{name} must be a positive number, got {value}")


def _require_count(**settings: int) -> None:
    for name, value in settings.items():
        if not isinstance(value, int | np.integer) or value < 1:
            raise ValueError(f"{name} must be a whole number, 1 or more, got {value}")
