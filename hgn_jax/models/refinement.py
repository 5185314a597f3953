"""Refinement of inferred states and points: least-squares fits to the frames seen, with the model fixed."""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp

_STEP = 1e-2  # of the finite differences; states have a scale of about 1
_INITIAL_DAMPING = 1e-3
_SMALLEST_DAMPING, _LARGEST_DAMPING = 1e-6, 1e3
_IMAGES_IN_CACHE = 16

Residuals = Callable[[jax.Array], jax.Array]  # of vectors `[batch, d]`, to `[batch, n]`


class LeastSquares(NamedTuple):
    """A least-squares problem about states and what was observed around them.

    Attributes:
      residuals: What a state does not explain.
      distances: Number of steps of time between the state and each residual, `[batch, n]`.
    """

    residuals: Residuals
    distances: jax.Array


def forward_derivatives(residuals: Residuals, z: jax.Array) -> jax.Array:
    """The Jacobian `[d, batch, n]` of residuals by forward-mode differentiation."""
    return _along_axes(jax.linearize(residuals, z)[1], z)


def central_differences(residuals: Residuals, z: jax.Array) -> jax.Array:
    """The Jacobian `[d, batch, n]` of residuals that JAX cannot differentiate forwards, such as pixels of a decoder."""
    return _along_axes(lambda step: (residuals(z + _STEP * step) - residuals(z - _STEP * step)) / (2.0 * _STEP), z)


def _along_axes(differentiate: Callable[[jax.Array], jax.Array], z: jax.Array) -> jax.Array:
    axes = jnp.eye(z.shape[-1], dtype=z.dtype)
    return jax.lax.map(lambda axis: differentiate(jnp.broadcast_to(axis, z.shape)), axes)


def levenberg_marquardt(
    residuals: Residuals,
    z: jax.Array,
    num_steps: int,
    differentiate: Callable[[Residuals, jax.Array], jax.Array] = forward_derivatives,
    counted: Callable[[jax.Array], jax.Array] | None = None,
) -> jax.Array:
    """Minimises the sum of squared residuals of each example over its own small vector z.

    A step that does not lower the error is not taken, and the next one is more cautious.

    Args:
      residuals: Maps vectors `[batch, d]` to residuals `[batch, n]`; each row depends on its own vector alone.
      z: Initial vectors, `[batch, d]`.
      num_steps: Number of steps.
      differentiate: `forward_derivatives` or `central_differences`.
      counted: Number of a step, from 0 -> which residuals count in it, `[batch, n]`; by default all of them.

    Returns:
      The vectors after the last step, `[batch, d]`; no error is larger than at the start if all residuals always count.
    """

    def squared(r: jax.Array) -> jax.Array:
        return jnp.sum(r**2, axis=-1)

    def step(carry, number):
        z, r, damping = carry
        only_counted = lambda x: x if counted is None else jnp.where(counted(number), x, 0.0)
        jacobian = only_counted(differentiate(residuals, z))
        normal = jnp.einsum("ibn,jbn->bij", jacobian, jacobian, precision="highest")
        gradient = jnp.einsum("ibn,bn->bi", jacobian, only_counted(r), precision="highest")
        proposal = z - _solve_damped(normal, gradient, damping)
        new_r = residuals(proposal)
        better = squared(only_counted(new_r)) < squared(only_counted(r))  # false if the error is not a number
        z, r = jnp.where(better[:, None], proposal, z), jnp.where(better[:, None], new_r, r)
        damping = jnp.clip(damping * jnp.where(better, 0.1, 10.0), _SMALLEST_DAMPING, _LARGEST_DAMPING)
        return (z, r, damping), None

    start = (z, residuals(z), jnp.full(len(z), _INITIAL_DAMPING, z.dtype))
    return jax.lax.scan(step, start, jnp.arange(num_steps))[0][0]


def fit_outward(
    problem: LeastSquares,
    z: jax.Array,
    num_steps: int,
    near: int,
    differentiate: Callable[[Residuals, jax.Array], jax.Array] = forward_derivatives,
) -> jax.Array:
    """Fits states to what was observed near them, and then farther and farther away.

    Where neighbouring rollouts part exponentially, a first guess that is good nearby can be so wrong far away that a
    fit to all at once ends in another minimum.

    Args:
      problem: The residuals, and how far away each is.
      z: First guesses, `[batch, d]`.
      num_steps: Number of steps of `levenberg_marquardt`. In the first quarter of them only what is within half of
        `near` counts, but at least two steps of time, in the second quarter what is near, and then everything.
      near: Largest distance that is near.
      differentiate: `forward_derivatives` or `central_differences`.

    Returns:
      The states, `[batch, d]`.
    """
    nearest = min(near, max(near // 2, 2))

    def counted(number: jax.Array) -> jax.Array:
        reach = jnp.where(number < num_steps // 4, nearest, near)
        return (number >= num_steps // 2) | (problem.distances <= reach)

    return levenberg_marquardt(problem.residuals, z, num_steps, differentiate, counted)


def gauss_newton_shift(
    paint: Callable[[jax.Array], jax.Array], points: jax.Array, frames: jax.Array, largest: float
) -> jax.Array:
    """One Gauss-Newton step that brings painted points closer to the frames.

    Args:
      paint: Maps points `[n, d]` to images `[n, size, size, 3]`; each image depends on its own points alone.
      points: Points found in the frames, `[n, d]`.
      frames: Frames that they should explain, `[n, size, size, 3]`.
      largest: Largest shift of a coordinate.

    Returns:
      The shifts, `[n, d]`.
    """
    directions = jnp.eye(points.shape[-1], dtype=points.dtype)

    def normal_equations(example: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, jax.Array]:
        point, frame = example
        image, differentiate = jax.linearize(lambda point: paint(point[None])[0], point)
        jacobian = jax.vmap(differentiate)(directions).reshape(len(directions), -1)  # [d, pixels]
        normal = jnp.matmul(jacobian, jacobian.T, precision="highest")
        return normal, jnp.matmul(jacobian, (frame - image).ravel(), precision="highest")

    # On a CPU, a few images at a time stay in the cache.
    at_a_time = _IMAGES_IN_CACHE if jax.default_backend() == "cpu" else len(points)
    normal, gradient = jax.lax.map(normal_equations, (points, frames), batch_size=at_a_time)
    shift = _solve_damped(normal, gradient, jnp.full(len(points), _INITIAL_DAMPING, points.dtype))
    return jnp.clip(shift, -largest, largest)


def _solve_damped(normal: jax.Array, gradient: jax.Array, damping: jax.Array) -> jax.Array:
    """Solves the normal equations `[batch, d, d]` with their diagonal enlarged by a factor 1 + damping `[batch]`."""
    diagonal = jnp.einsum("bii->bi", normal)
    scale = diagonal + 1e-6 * jnp.max(diagonal, axis=-1, keepdims=True) + 1e-12
    damped = normal + damping[:, None, None] * jax.vmap(jnp.diag)(scale)
    return jnp.linalg.solve(damped, gradient[..., None])[..., 0]
