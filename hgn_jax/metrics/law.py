"""The law of motion, read off a learned Hamiltonian: forces, masses, potentials and frequencies.

States are `PhaseState`s, q and p of shape `[n, d]`. Everything is in the units of the states; `canvas_scale` gives the
size of such a unit on the canvas. `hgn_jax.metrics.attraction` has the forces between bodies.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from hgn_jax.physics.hamiltonian import Hamiltonian, force
from hgn_jax.physics.phase_space import PhaseState


class LinearFit(NamedTuple):
    """A linear regression y = slope x + intercept.

    Attributes:
      slope: The slope.
      intercept: The intercept.
      r_squared: Fraction of the variance of y that it explains.
    """

    slope: float
    intercept: float
    r_squared: float


class SpringForce(NamedTuple):
    """The force on one coordinate beside the true displacement.

    Attributes:
      r_squared: Fraction of the variance of the force that a straight line in the true displacement explains.
      frequency: Angular frequency, the square root of minus the slope of acceleration against the learned coordinate.
      acceleration: Accelerations in units of the true displacement, `[n]`.
    """

    r_squared: float
    frequency: float
    acceleration: np.ndarray


class ChainOfRods(NamedTuple):
    """A chain of two rods, whose mass matrix is M_ij = A_ij cos(q_i - q_j) and whose potential -sum_i w_i cos q_i.

    Attributes:
      inertia: A_11 / A_22 and A_12 / A_22, of the mass matrices fitted by the cosines.
      gravity: w_2 / A_22, the gravitational acceleration over the length of the second rod, if its mass is at its end.
      r_squared: Fraction of the variance of the potential that the two cosines explain.
      potential: The potential in units of A_22, zero at rest at the bottom, `[n]`.
    """

    inertia: tuple[float, float]
    gravity: float
    r_squared: float
    potential: np.ndarray


def canvas_scale(extent: float, half_width: float, image_size: int) -> float:
    """Size of a unit of the states in units of the canvas.

    The centres of the outermost pixels lie at ±`extent`. They are half a pixel from the edges of the picture, which lie
    at ±half_width on the canvas.

    Args:
      extent: Coordinate of the centres of the outermost pixels, in units of the states.
      half_width: Half the side of the canvas.
      image_size: Number of pixels along a side.
    """
    return half_width * (image_size - 1) / image_size / extent


def potential(hamiltonian: Hamiltonian) -> Callable[[jax.Array], jax.Array]:
    """The energy of a state at rest, as a function from positions `[n, ...]` to `[n]`."""
    return lambda q: hamiltonian(PhaseState(q, jnp.zeros_like(q)))


def forces_at_rest(hamiltonian: Hamiltonian, q: np.ndarray) -> np.ndarray:
    """The force -dV/dq at positions `[n, ...]`, with the same shape, in float64."""
    q = jnp.asarray(q)
    return np.asarray(jax.jit(force(hamiltonian))(PhaseState(q, jnp.zeros_like(q))), np.float64)


def inverse_masses(hamiltonian: Hamiltonian, states: PhaseState) -> np.ndarray:
    """The mean over states of the diagonal of d²H/dp², which is 1 / m for each coordinate if T = sum p² / 2m.

    Args:
      hamiltonian: The energy.
      states: States, q and p of shape `[n, d]`.

    Returns:
      One number per coordinate, `[d]`.
    """
    return np.diagonal(_inverse_mass_matrices(hamiltonian, states), axis1=1, axis2=2).mean(axis=0)


def _inverse_mass_matrices(hamiltonian: Hamiltonian, states: PhaseState) -> np.ndarray:
    """d²H/dp² in each state, `[n, d, d]`, in float64."""

    def curvature(q: jax.Array, p: jax.Array) -> jax.Array:
        return jax.hessian(lambda p: hamiltonian(PhaseState(q[None], p[None]))[0])(p)

    return np.asarray(jax.jit(jax.vmap(curvature))(*map(jnp.asarray, states)), np.float64)


def linear_fit(x: np.ndarray, y: np.ndarray) -> LinearFit:
    """Fits y = slope x + intercept to numbers `[n]` by least squares.

    Raises:
      ValueError: In one line, if either of them does not vary or is not finite.
    """
    x, y = np.asarray(x, np.float64), np.asarray(y, np.float64)
    if not 0 < np.var(x) < np.inf or not 0 < np.var(y) < np.inf:
        raise ValueError("what is learned does not vary with the state, or is not finite")
    slope = np.mean((x - x.mean()) * (y - y.mean())) / np.var(x)
    intercept = y.mean() - slope * x.mean()
    return LinearFit(float(slope), float(intercept), float(1.0 - np.var(y - slope * x) / np.var(y)))


def principal_coordinate(q: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The direction in which positions vary most.

    Args:
      q: Positions, `[n, d]`.

    Returns:
      The positions along it, `[n]`, from their mean, and the direction, a unit vector `[d]`.
    """
    centred = np.asarray(q, np.float64) - np.mean(q, axis=0, dtype=np.float64)
    direction = np.linalg.svd(centred, full_matrices=False)[2][0]
    return centred @ direction, direction


def spring_force(hamiltonian: Hamiltonian, states: PhaseState, displacement: np.ndarray, time: float) -> SpringForce:
    """Reads the force of a spring off, along the direction in which positions vary most.

    Args:
      hamiltonian: The energy.
      states: Visited states, q and p of shape `[n, d]`.
      displacement: True displacement in the same states, `[n]`.
      time: Unit of time of the energy in that of the true system.

    Raises:
      ValueError: In one line, if the force does not pull back.
    """
    x, direction = principal_coordinate(states.q)
    attraction = forces_at_rest(hamiltonian, states.q) @ direction
    acceleration = attraction * (inverse_masses(hamiltonian, states) @ direction**2) / time**2
    slope = linear_fit(x, acceleration).slope
    if not slope < 0:
        raise ValueError("the learned force does not pull back")
    in_true_units = linear_fit(x, displacement).slope * acceleration
    return SpringForce(linear_fit(displacement, attraction).r_squared, float(np.sqrt(-slope)), in_true_units)


def potential_per_mass(
    hamiltonian: Hamiltonian, states: PhaseState, q: np.ndarray, length: float, time: float
) -> np.ndarray:
    """The potential at positions, above its least value there, divided by the mass.

    Args:
      hamiltonian: The energy.
      states: States in which the masses are read, q and p of shape `[n, d]`; the mean over coordinates is taken.
      q: Positions, `[m, d]`.
      length: Unit of the coordinates in the units of the answer.
      time: Unit of time of the energy in the units of the answer.

    Returns:
      Squared lengths over squared times, `[m]`.
    """
    energy = np.asarray(jax.jit(potential(hamiltonian))(jnp.asarray(q, states.p.dtype)), np.float64)
    return (energy - energy.min()) * inverse_masses(hamiltonian, states).mean() * (length / time) ** 2


def arc_length(places: np.ndarray) -> np.ndarray:
    """Length of the polygon through places `[n, 2]` from the first to each of them, `[n]`."""
    steps = np.linalg.norm(np.diff(places.astype(np.float64), axis=0), axis=-1)
    return np.concatenate([[0.0], np.cumsum(steps)])


def small_angle_frequency(hamiltonian: Hamiltonian, q: np.ndarray, num_points: int = 1001) -> float:
    """Angular frequency of small oscillations about the minimum of the potential, sqrt(d²V/dq² d²H/dp²).

    Args:
      hamiltonian: Energy of states with one coordinate.
      q: Visited positions, `[n, 1]`, among which the minimum is looked for.
      num_points: Number of points of the search.

    Raises:
      ValueError: In one line, if the potential has its minimum at an end of the visited range.
    """
    grid = jnp.linspace(np.min(q), np.max(q), num_points)[:, None]
    lowest = int(jnp.argmin(jax.jit(potential(hamiltonian))(grid)))
    if lowest in (0, num_points - 1):
        raise ValueError("the learned potential has no minimum within the visited range")
    state = PhaseState(grid[lowest], jnp.zeros(1))
    energy = lambda q, p: hamiltonian(PhaseState(q[None], p[None]))[0]
    curvatures = (jax.jit(jax.hessian(energy, argnums=i))(*state)[0, 0] for i in (0, 1))
    return float(np.sqrt(np.prod([np.maximum(curvature, 0.0) for curvature in curvatures])))


def chain_of_rods(hamiltonian: Hamiltonian, states: PhaseState, time: float) -> ChainOfRods:
    """Reads the inertia and the weights of a chain of two rods off.

    Args:
      hamiltonian: The energy.
      states: States whose positions are the angles of two rods from the vertical downwards, q and p of shape `[n, 2]`.
      time: Unit of time of the energy in that of the true system.

    Raises:
      ValueError: In one line, if the learned energy does not vary with the state or has no mass matrix.
    """
    angles = np.asarray(states.q, np.float64)
    curvature = _inverse_mass_matrices(hamiltonian, states)
    energy = np.asarray(potential(hamiltonian)(jnp.asarray(states.q)), np.float64)
    if not np.isfinite(curvature).all() or not 0 < np.var(energy) < np.inf or (np.linalg.det(curvature) <= 0).any():
        raise ValueError("what is learned does not vary with the state, or is not finite")
    cosines = np.cos(angles[:, :, None] - angles[:, None, :])
    inertia = np.sum(np.linalg.inv(curvature) * cosines, axis=0) / np.sum(cosines**2, axis=0)
    basis = np.column_stack([np.ones(len(angles)), 1.0 - np.cos(angles)])
    weights = np.linalg.lstsq(basis, energy, rcond=None)[0]
    return ChainOfRods(
        inertia=(float(inertia[0, 0] / inertia[1, 1]), float(inertia[0, 1] / inertia[1, 1])),
        gravity=float(weights[2] / inertia[1, 1]) / time**2,
        r_squared=float(1.0 - np.var(energy - basis @ weights) / np.var(energy)),
        potential=(energy - weights[0]) / inertia[1, 1] / time**2,
    )
