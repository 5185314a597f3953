"""Densities in the plane."""

import math
from collections.abc import Sequence
from types import ModuleType

import jax
import jax.numpy as jnp
import numpy as np

from hgn_jax.models.densities.base import (
    Density,
    as_points,
    gaussian_mixture,
    log_normal_constant,
    mixture_log_prob,
    require_count,
    require_positive,
)


def ring_mixture(num_modes: int, radius: float, scale: float, name: str = "ring_mixture") -> Density:
    """Equal Gaussians of standard deviation `scale`, evenly spaced on a circle, the first at (radius, 0).

    Raises:
      ValueError: Unless `num_modes` is at least 1, and `radius` and `scale` are positive.
    """
    require_count(num_modes=num_modes)
    require_positive(radius=radius)
    return gaussian_mixture(radius * _directions(2 * np.pi * np.arange(num_modes) / num_modes), scale, name=name)


def grid_mixture(modes_per_side: int, spacing: float, scale: float, name: str = "grid_mixture") -> Density:
    """Equal Gaussians of standard deviation `scale` on a square grid centred at the origin.

    Raises:
      ValueError: Unless `modes_per_side` is at least 1, and `spacing` and `scale` are positive.
    """
    require_count(modes_per_side=modes_per_side)
    require_positive(spacing=spacing)
    ticks = spacing * (np.arange(modes_per_side) - (modes_per_side - 1) / 2)
    means = np.stack(np.meshgrid(ticks, ticks, indexing="ij"), axis=-1).reshape(-1, 2)
    return gaussian_mixture(means, scale, name=name)


def two_moons(radius: float = 2.0, scale: float = 0.2) -> Density:
    """Two interleaved half circles, uniform along the arc and blurred by Gaussian noise; the mean is the origin.

    The first arc is the upper half of a circle about (-radius/2, -radius/4), the other its reflection x -> -x. The
    integral over the angle is a Gauss-Legendre sum, with a relative error below 1e-8 within three radii of the origin.

    Args:
      radius: Radius of the arcs.
      scale: Standard deviation of the noise.

    Raises:
      ValueError: Unless both are positive and `scale` is at least a hundredth of `radius`.
    """
    require_positive(radius=radius, scale=scale)
    if scale < radius / 100:  # the number of quadrature nodes grows as radius / scale
        raise ValueError(f"two_moons needs scale >= radius / 100, got scale={scale} and radius={radius}")
    centre = radius * np.array([0.5, 0.25])

    nodes, weights = np.polynomial.legendre.leggauss(max(48, math.ceil(12 * radius / scale)))
    arc = radius * _directions(np.pi * (nodes + 1) / 2) - centre
    points, weights = np.concatenate([arc, -arc]), np.concatenate([weights, weights]) / 4

    def log_prob(x: jax.Array) -> jax.Array:
        return mixture_log_prob(as_points(x, 2), points, scale, weights)

    def sample(key: jax.Array, num_samples: int) -> jax.Array:
        angle_key, side_key, noise_key = jax.random.split(key, 3)
        angle = jax.random.uniform(angle_key, (num_samples,), maxval=jnp.pi)
        side = jax.random.rademacher(side_key, (num_samples, 1), dtype=angle.dtype)
        arc = side * (radius * _directions(angle, jnp) - centre)
        return arc + scale * jax.random.normal(noise_key, (num_samples, 2))

    return Density("two_moons", 2, log_prob, sample, np.zeros((0, 2)))


def rings(radii: Sequence[float] = (1.0, 2.0, 3.0), scale: float = 0.15) -> Density:
    """Circles about the origin, all of equal weight, blurred by Gaussian noise.

    The integral of the Gaussian over a circle of radius r is, with the Bessel function I_0,
    exp(-(|x|^2 + r^2) / 2 s^2) I_0(|x| r / s^2) / (2 pi s^2).

    Args:
      radii: Radii of the circles.
      scale: Standard deviation s of the noise.

    Raises:
      ValueError: Unless there is at least one circle, and the radii and `scale` are positive.
    """
    if not len(radii):
        raise ValueError("rings needs at least one radius")
    for radius in radii:
        require_positive(radius=radius)
    require_positive(scale=scale)
    radii = np.asarray(radii, np.float64)
    log_normaliser = 2 * log_normal_constant(scale) + math.log(len(radii))

    def log_prob(x: jax.Array) -> jax.Array:
        distance = _norm(as_points(x, 2))[..., None]
        radius = jnp.asarray(radii, distance.dtype)
        bessel = jax.scipy.special.i0e(distance * radius / scale**2)  # e^-z I_0(z) turns |x|^2 + r^2 into (|x| - r)^2
        log_rings = -0.5 * ((distance - radius) / scale) ** 2 + jnp.log(bessel)
        return jax.nn.logsumexp(log_rings, axis=-1) - log_normaliser

    def sample(key: jax.Array, num_samples: int) -> jax.Array:
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
    """Arms of a pinwheel: elongated Gaussians about the origin, rotated by an angle that grows with the distance.

    Every point is rotated by `twist` times its distance from the origin. That preserves areas, so the density is that
    of the straight Gaussians at the point rotated back.

    Args:
      num_arms: Number of arms.
      distance: Distance of the centres of the arms from the origin.
      radial_scale: Standard deviation along an arm.
      tangential_scale: Standard deviation across an arm.
      twist: Angle in radians per unit of distance, of either sign.

    Raises:
      ValueError: Unless there is at least one arm, `twist` is finite and the others are positive.
    """
    require_count(num_arms=num_arms)
    require_positive(distance=distance, radial_scale=radial_scale, tangential_scale=tangential_scale)
    if not math.isfinite(twist):
        raise ValueError(f"twist must be a finite number, got {twist}")
    arms = 2 * np.pi * np.arange(num_arms) / num_arms
    log_normaliser = log_normal_constant(radial_scale) + log_normal_constant(tangential_scale) + math.log(num_arms)

    def log_prob(x: jax.Array) -> jax.Array:
        x = as_points(x, 2)
        along, across = _rotate(x[..., None, :], -twist * _norm(x)[..., None] - jnp.asarray(arms, x.dtype))
        squares = ((along - distance) / radial_scale) ** 2 + (across / tangential_scale) ** 2
        return jax.nn.logsumexp(-0.5 * squares, axis=-1) - log_normaliser

    def sample(key: jax.Array, num_samples: int) -> jax.Array:
        arm_key, noise_key = jax.random.split(key)
        arm = jax.random.choice(arm_key, jnp.asarray(arms), (num_samples,))
        noise = jax.random.normal(noise_key, (num_samples, 2))
        straight = noise * jnp.array([radial_scale, tangential_scale]) + jnp.array([distance, 0.0])
        return jnp.stack(_rotate(straight, arm + twist * _norm(straight)), axis=-1)

    return Density("pinwheel", 2, log_prob, sample, distance * _directions(arms + twist * distance))


def checkerboard(squares_per_side: int = 4, width: float = 2.0) -> Density:
    """The uniform density on every other square of a board centred at the origin, including the lower left one.

    The log density is -inf outside these squares; its gradient is zero everywhere.

    Args:
      squares_per_side: Number of squares along each side, even.
      width: Width of a square.

    Raises:
      ValueError: Unless `squares_per_side` is even and positive, and `width` is positive.
    """
    require_count(squares_per_side=squares_per_side)
    if squares_per_side % 2:
        raise ValueError(f"squares_per_side must be even, got {squares_per_side}")
    require_positive(width=width)
    half = squares_per_side // 2
    board = np.stack(np.meshgrid(*[np.arange(-half, half)] * 2, indexing="ij"), axis=-1).reshape(-1, 2)
    corners = width * board[board.sum(axis=1) % 2 == 0]  # lower left corners; -half - half is even
    log_height = -math.log(len(corners) * width**2)

    def log_prob(x: jax.Array) -> jax.Array:
        square = jnp.floor(as_points(x, 2) / width)
        inside = jnp.all((square >= -half) & (square < half), axis=-1)
        return jnp.where(inside & (jnp.sum(square, axis=-1) % 2 == 0), log_height, -jnp.inf).astype(square.dtype)

    def sample(key: jax.Array, num_samples: int) -> jax.Array:
        choice_key, place_key = jax.random.split(key)
        corner = jax.random.choice(choice_key, jnp.asarray(corners), (num_samples,))
        return corner + width * jax.random.uniform(place_key, (num_samples, 2))

    return Density("checkerboard", 2, log_prob, sample, corners + width / 2)


def _norm(x: jax.Array) -> jax.Array:
    """Length of vectors `[..., d]`, with gradient zero instead of nan at the origin."""
    square = jnp.sum(x**2, axis=-1)
    away = square > 0
    return jnp.where(away, jnp.sqrt(jnp.where(away, square, 1.0)), 0.0)


def _directions(angle: jax.Array, numpy: ModuleType = np) -> jax.Array:
    """Unit vectors `[..., 2]` at the given angles, by NumPy or `jax.numpy`."""
    return numpy.stack([numpy.cos(angle), numpy.sin(angle)], axis=-1)


def _rotate(x: jax.Array, angle: jax.Array) -> tuple[jax.Array, jax.Array]:
    """The two coordinates of the vectors `x`, `[..., 2]`, rotated anticlockwise."""
    cos, sin = jnp.cos(angle), jnp.sin(angle)
    return cos * x[..., 0] - sin * x[..., 1], sin * x[..., 0] + cos * x[..., 1]
