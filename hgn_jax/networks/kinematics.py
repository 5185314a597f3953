"""Position and velocity in the middle of a window of coordinates, under the symmetry of time reversal."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from hgn_jax.networks.mlp import mlp
from hgn_jax.networks.precision import in_precision

_CORRECTION_SIZES = (64, 64)
_CORRECTION_GAIN = 1e-3  # the correction starts near zero


class MiddleOfWindow(NamedTuple):
    """Positions and velocities in the middle of windows of coordinates, as pure functions.

    Attributes:
      init: `(key) -> params`.
      apply: `(params, coordinates [batch, window, d]) -> (position, velocity)`, each `[batch, d]`.
    """

    init: Callable[[jax.Array], Any]
    apply: Callable[[Any, jax.Array], tuple[jax.Array, jax.Array]]


def middle_of_window(num_frames: int, dim: int, dt: float, degree: int = 2, angles: bool = False) -> MiddleOfWindow:
    """Fits a polynomial in time to each coordinate, and corrects it by a small network.

    The network sees the window and its reverse. Only the even part of its answer corrects positions and the odd part
    velocities, because a film played backwards shows the same places and the opposite velocities.

    Args:
      num_frames: Odd number of frames of a window, at least three.
      dim: Number d of coordinates.
      dt: Time between frames.
      degree: Degree of the polynomial, below the number of frames.
      angles: Whether the coordinates are angles in radians. Then they are unwrapped in time, both ways from the middle,
        before the fit, and the network sees points on a circle.
    """
    weights = fit_middle(num_frames, dt, degree)
    seen = on_circle if angles else (lambda q: q)
    correction = in_precision(mlp((*_CORRECTION_SIZES, 2 * dim), "swish", output_gain=_CORRECTION_GAIN), "full")

    def init(key: jax.Array) -> Any:
        return correction.init(key, seen(jnp.zeros((1, num_frames * dim))))

    def apply(params: Any, coordinates: jax.Array) -> tuple[jax.Array, jax.Array]:
        if angles:
            unwrapped, middle = jnp.unwrap(coordinates, axis=1), num_frames // 2
            coordinates = unwrapped + (coordinates - unwrapped)[:, middle, None]
        fit = jnp.concatenate([jnp.einsum("btd,t->bd", coordinates, w, precision="highest") for w in weights], axis=-1)
        correct = lambda window: correction.apply(params, seen(window.reshape(len(window), -1)))
        corrected = fit + even_and_odd(correct(coordinates), correct(coordinates[:, ::-1]))
        return tuple(jnp.split(corrected, 2, axis=-1))

    return MiddleOfWindow(init, apply)


def on_circle(angles: jax.Array) -> jax.Array:
    """The points on the unit circle at some angles: maps `[..., d]` to `[..., 2 * d]`."""
    return jnp.concatenate([jnp.sin(angles), jnp.cos(angles)], axis=-1)


def even_and_odd(forward: jax.Array, backward: jax.Array) -> jax.Array:
    """The even part of the first half of the last axis, and the odd part of the second, under reversal of time.

    Args:
      forward: Answer to a window, positions before momenta, `[..., 2 * d]`.
      backward: Answer to the reversed window.
    """
    half = forward.shape[-1] // 2
    sign = np.repeat(np.array([1.0, -1.0], np.float32), half)
    return 0.5 * (forward + sign * backward)


def fit_middle(num_frames: int, dt: float, degree: int) -> tuple[np.ndarray, np.ndarray]:
    """Weights `[num_frames]` that give position and velocity in the middle of a window of positions at equal times.

    They are those of a polynomial in time, fitted by least squares.

    Args:
      num_frames: Odd number of frames, at least three.
      dt: Time between frames.
      degree: Degree of the polynomial, below the number of frames.
    """
    times = dt * (np.arange(num_frames) - num_frames // 2)
    coefficients = np.linalg.pinv(np.vander(times, degree + 1, increasing=True))
    return coefficients[0].astype(np.float32), coefficients[1].astype(np.float32)
