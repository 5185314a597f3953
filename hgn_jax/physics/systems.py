"""The true Hamiltonians of the simulated systems (Sec. 4 of the paper), each written once.

Constants may be Python numbers or arrays, so that a system can also be built with learned or randomised constants.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from hgn_jax.physics.hamiltonian import Hamiltonian, separable
from hgn_jax.physics.phase_space import PhaseState


class System(NamedTuple):
    """A mechanical system.

    Attributes:
      name: Name of the system and of its data set.
      hamiltonian: Energy, `PhaseState -> [batch]`; separable for all systems except the double pendulum.
      state_shape: Shape of `q`, and of `p`, without batch axes: `(1,)`, `(2,)` for the angles of the double pendulum,
        or `(n, 2)` for n bodies in a plane.
      constants: Physical constants of the system.
    """

    name: str
    hamiltonian: Hamiltonian
    state_shape: tuple[int, ...]
    constants: dict[str, float]


def mass_spring(k: float = 2.0, m: float = 0.5) -> System:
    """The undamped mass on a spring, H = k q^2 / 2 + p^2 / (2 m).

    Args:
      k: Stiffness of the spring.
      m: Mass.

    Returns:
      A `System` over states of shape `[..., 1]`.
    """

    def potential(q):
        return jnp.sum(0.5 * k * q**2, axis=-1)

    def kinetic(p):
        return jnp.sum(p**2 / (2.0 * m), axis=-1)

    return System("mass_spring", separable(kinetic, potential), (1,), {"k": k, "m": m})


def pendulum(m: float = 0.5, g: float = 3.0, l: float = 1.0, potential_factor: float = 2.0) -> System:  # noqa: E741
    """The ideal pendulum, H = c m g l (1 - cos q) + p^2 / (2 m l^2), with q the angle from the hanging position.

    Args:
      m: Mass of the bob.
      g: Gravitational acceleration.
      l: Length of the rod.
      potential_factor: Factor c of the potential energy; 2 as printed in the paper, 1 for the textbook pendulum.

    Returns:
      A `System` over states of shape `[..., 1]`.
    """

    def potential(q):
        return jnp.sum(potential_factor * m * g * l * (1.0 - jnp.cos(q)), axis=-1)

    def kinetic(p):
        return jnp.sum(p**2 / (2.0 * m * l**2), axis=-1)

    constants = {"m": m, "g": g, "l": l, "potential_factor": potential_factor}
    return System("pendulum", separable(kinetic, potential), (1,), constants)


def double_pendulum(m1: float = 0.5, m2: float = 0.5, g: float = 3.0, l1: float = 1.0, l2: float = 1.0) -> System:
    """A pendulum that hangs from the bob of another; q = (q_1, q_2) are the angles of the rods from the vertical.

    With the momenta p_i = dL/d(dq_i/dt) conjugate to the angles and D = q_1 - q_2,

        H = (m2 l2^2 p_1^2 + (m1 + m2) l1^2 p_2^2 - 2 m2 l1 l2 p_1 p_2 cos D) / (2 m2 l1^2 l2^2 (m1 + m2 sin^2 D))
            + (m1 + m2) g l1 (1 - cos q_1) + m2 g l2 (1 - cos q_2).

    The kinetic energy depends on the angles, so H is not separable. Splitting integrators such as `leapfrog` are then
    neither symplectic nor of their usual order.

    Args:
      m1: Mass of the upper bob.
      m2: Mass of the lower bob.
      g: Gravitational acceleration.
      l1: Length of the upper rod.
      l2: Length of the lower rod.

    Returns:
      A `System` over states of shape `[..., 2]`.
    """

    def hamiltonian(state):
        (q1, q2), (p1, p2) = (jnp.moveaxis(jnp.asarray(x), -1, 0) for x in state)
        difference = q1 - q2
        inertia = 2.0 * m2 * l1**2 * l2**2 * (m1 + m2 * jnp.sin(difference) ** 2)
        momenta = m2 * l2**2 * p1**2 + (m1 + m2) * l1**2 * p2**2 - 2.0 * m2 * l1 * l2 * p1 * p2 * jnp.cos(difference)
        height = (m1 + m2) * l1 * (1.0 - jnp.cos(q1)) + m2 * l2 * (1.0 - jnp.cos(q2))
        return momenta / inertia + g * height

    return System("double_pendulum", hamiltonian, (2,), {"m1": m1, "m2": m2, "g": g, "l1": l1, "l2": l2})


def n_body(num_bodies: int, m: float | jax.Array = 1.0, g: float = 1.0, name: str | None = None) -> System:
    """Bodies in the plane under mutual gravitation, H = sum |p_i|^2 / (2 m_i) - sum_{i<j} g m_i m_j / |q_i - q_j|.

    Args:
      num_bodies: Number of bodies, two or more.
      m: Mass of every body, or an array of masses `[num_bodies]`.
      g: Gravitational constant.
      name: Name of the system, by default `<num_bodies>_body`.

    Returns:
      A `System` over states of shape `[..., num_bodies, 2]`.

    Raises:
      ValueError: If there are fewer than two bodies.
    """
    if num_bodies < 2:
        raise ValueError(f"n_body needs two bodies or more, got {num_bodies}")
    first, second = np.triu_indices(num_bodies, k=1)

    def masses(dtype):
        return jnp.broadcast_to(jnp.asarray(m, dtype), (num_bodies,))

    def potential(q):
        mass = masses(q.dtype)
        separation = q[..., first, :] - q[..., second, :]
        distance = jnp.sqrt(jnp.sum(separation**2, axis=-1))
        return -jnp.sum(g * mass[first] * mass[second] / distance, axis=-1)

    def kinetic(p):
        return jnp.sum(jnp.sum(p**2, axis=-1) / (2.0 * masses(p.dtype)), axis=-1)

    return System(name or f"{num_bodies}_body", separable(kinetic, potential), (num_bodies, 2), {"m": m, "g": g})


def two_body(m: float | jax.Array = 1.0, g: float = 1.0) -> System:
    """Two gravitating bodies with states of shape `[..., 2, 2]`; see `n_body`."""
    return n_body(2, m, g, name="two_body")


def three_body(m: float | jax.Array = 1.0, g: float = 1.0) -> System:
    """Three gravitating bodies with states of shape `[..., 3, 2]`; see `n_body`."""
    return n_body(3, m, g, name="three_body")


def circular_orbit(num_bodies: int, radius: jax.Array, angle: jax.Array, m: float = 1.0, g: float = 1.0) -> PhaseState:
    """Equal masses at the corners of a regular polygon that rotates rigidly and anticlockwise about its centre.

    Newton's second law for one corner, m v^2 / r = sum of the attractions by the other bodies, gives
    v^2 = g m / (4 r) * sum_{k=1}^{n-1} 1 / sin(pi k / n).

    Args:
      num_bodies: Number of bodies.
      radius: Distance of the bodies from the centre, `[...]`.
      angle: Polar angle of the first body in radians, `[...]`.
      m: Mass of each body.
      g: Gravitational constant.

    Returns:
      A `PhaseState` with `q` and `p` of shape `[..., num_bodies, 2]`.
    """
    radius, angle = jnp.asarray(radius), jnp.asarray(angle)
    attraction = jnp.sum(1.0 / jnp.sin(jnp.pi * jnp.arange(1, num_bodies) / num_bodies)) / 4.0
    speed = jnp.sqrt(g * m * attraction / radius)
    corners = angle[..., None] + 2.0 * jnp.pi * jnp.arange(num_bodies) / num_bodies
    outward = jnp.stack([jnp.cos(corners), jnp.sin(corners)], axis=-1)
    tangential = jnp.stack([-jnp.sin(corners), jnp.cos(corners)], axis=-1)
    return PhaseState(radius[..., None, None] * outward, m * speed[..., None, None] * tangential)


def rigid_orbit(num_bodies: int, radius: jax.Array, angle: jax.Array, m: jax.Array, g: jax.Array = 1.0) -> PhaseState:
    """Two or three bodies of any masses that rotate rigidly and anticlockwise about their centre of mass, the origin.

    Two bodies, or three at the corners of an equilateral triangle (Lagrange's solution), keep their distance s if they
    rotate with the angular velocity w, where w^2 = g (sum of the masses) / s^3.

    Args:
      num_bodies: Number of bodies, 2 or 3.
      radius: Distance of the bodies from the centre of their polygon, `[...]`.
      angle: Polar angle of the first body about that centre in radians, `[...]`.
      m: Masses, `[..., num_bodies]`.
      g: Gravitational constant, a number or `[...]`.

    Returns:
      A `PhaseState` with `q` and `p` of shape `[..., num_bodies, 2]`.

    Raises:
      ValueError: If there are not two or three bodies; the solution needs equal distances between all of them.
    """
    if num_bodies not in (2, 3):
        raise ValueError(f"rigid_orbit is for two or three bodies, got {num_bodies}")
    radius, angle, m = jnp.asarray(radius), jnp.asarray(angle), jnp.asarray(m)
    corners = angle[..., None] + 2.0 * jnp.pi * jnp.arange(num_bodies) / num_bodies
    polygon = radius[..., None, None] * jnp.stack([jnp.cos(corners), jnp.sin(corners)], axis=-1)
    total_mass = jnp.sum(m, axis=-1)
    q = polygon - jnp.sum(m[..., None] * polygon, axis=-2, keepdims=True) / total_mass[..., None, None]
    side = 2.0 * radius * jnp.sin(jnp.pi / num_bodies)
    angular_velocity = jnp.sqrt(g * total_mass / side**3)[..., None, None]
    velocity = angular_velocity * jnp.stack([-q[..., 1], q[..., 0]], axis=-1)
    return PhaseState(q, m[..., None] * velocity)


SYSTEMS: dict[str, Callable[..., System]] = {
    "mass_spring": mass_spring,
    "pendulum": pendulum,
    "two_body": two_body,
    "three_body": three_body,
    "double_pendulum": double_pendulum,
}


def get_system(name: str, **constants: float) -> System:
    """Returns the system with a name; raises ValueError with the list of names for any other."""
    if name not in SYSTEMS:
        raise ValueError(f"unknown system {name!r}; choose one of {', '.join(SYSTEMS)}")
    return SYSTEMS[name](**constants)
