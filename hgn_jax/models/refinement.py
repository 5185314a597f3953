"""Refinement of inferred states and points: least-squares fits to the frames seen, with the model fixed."""

from collections.abc import Callable

import jax
import jax.numpy as jnp

_STEP = 1e-2  # of the finite differences; states have a scale of about 1
_INITIAL_DAMPING = 1e-3
_SMALLEST_DAMPING, _LARGEST_DAMPING = 1e-6, 1e3


def levenberg_marquardt(residuals: Callable[[jax.Array], jax.Array], z: jax.Array, num_steps: int) -> jax.Array:
    """Minimises the sum of squared residuals of each example over its own small vector z.

    The Jacobian is that of central differences, because a state has a few numbers and the residuals, such as the pixels
    of frames, are many. A step that does not lower the error is not taken, and the next one is more cautious.

    Args:
      residuals: Maps vectors `[batch, d]` to residuals `[batch, n]`; each row depends on its own vector alone.
      z: Initial vectors, `[batch, d]`.
      num_steps: Number of steps.

    Returns:
      The vectors after the last step, `[batch, d]`; no error is larger than at the start.
    """
    dim = z.shape[-1]
    directions = jnp.eye(dim, dtype=z.dtype)

    def squared(r: jax.Array) -> jax.Array:
        return jnp.sum(r**2, axis=-1)

    def step(carry, _):
        z, r, damping = carry
        differentiate = lambda direction: (
            (residuals(z + _STEP * direction) - residuals(z - _STEP * direction)) / (2.0 * _STEP)
        )
        jacobian = jax.lax.map(differentiate, directions)  # [d, batch, n]
        normal = jnp.einsum("ibn,jbn->bij", jacobian, jacobian, precision="highest")
        gradient = jnp.einsum("ibn,bn->bi", jacobian, r, precision="highest")
        proposal = z - _solve_damped(normal, gradient, damping)
        new_r = residuals(proposal)
        better = squared(new_r) < squared(r)  # false if the error is not a number
        z, r = jnp.where(better[:, None], proposal, z), jnp.where(better[:, None], new_r, r)
        damping = jnp.clip(damping * jnp.where(better, 0.1, 10.0), _SMALLEST_DAMPING, _LARGEST_DAMPING)
        return (z, r, damping), None

    start = (z, residuals(z), jnp.full(len(z), _INITIAL_DAMPING, z.dtype))
    return jax.lax.scan(step, start, None, length=num_steps)[0][0]


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
    images, differentiate = jax.linearize(paint, points)
    jacobian = jax.lax.map(lambda direction: differentiate(jnp.broadcast_to(direction, points.shape)), directions)
    jacobian = jacobian.reshape(*jacobian.shape[:2], -1)  # [d, n, pixels]
    normal = jnp.einsum("ibn,jbn->bij", jacobian, jacobian, precision="highest")
    residuals = (frames - images).reshape(len(frames), -1)
    gradient = jnp.einsum("ibn,bn->bi", jacobian, residuals, precision="highest")
    shift = _solve_damped(normal, gradient, jnp.full(len(points), _INITIAL_DAMPING, points.dtype))
    return jnp.clip(shift, -largest, largest)


def _solve_damped(normal: jax.Array, gradient: jax.Array, damping: jax.Array) -> jax.Array:
    """Solves the normal equations `[batch, d, d]` with their diagonal enlarged by a factor 1 + damping `[batch]`."""
    diagonal = jnp.einsum("bii->bi", normal)
    scale = diagonal + 1e-6 * jnp.max(diagonal, axis=-1, keepdims=True) + 1e-12
    damped = normal + damping[:, None, None] * jax.vmap(jnp.diag)(scale)
    return jnp.linalg.solve(damped, gradient[..., None])[..., 0]
