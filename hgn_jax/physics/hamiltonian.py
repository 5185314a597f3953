"""Hamiltonians and the vector fields they generate.

A Hamiltonian is any function that maps a `PhaseState` to an energy, one number per batch element. Hamilton's equations
(Eq. 3 of the paper) then give the motion,

    dq/dt = dH/dp,    dp/dt = -dH/dq,

with derivatives taken by `jax.grad`, so that a formula and a neural network are treated alike.
"""

import dataclasses
from collections.abc import Callable

import jax
import jax.numpy as jnp

from hgn_jax.physics.phase_space import PhaseState

Hamiltonian = Callable[[PhaseState], jax.Array]


@dataclasses.dataclass(frozen=True)
class SeparableHamiltonian:
    """H(q, p) = T(p) + V(q).

    Attributes:
      kinetic: Kinetic energy T, maps momenta `[batch, ...]` to energies `[batch]`.
      potential: Potential energy V, maps positions `[batch, ...]` to energies `[batch]`.
    """

    kinetic: Callable[[jax.Array], jax.Array]
    potential: Callable[[jax.Array], jax.Array]

    def __call__(self, state: PhaseState) -> jax.Array:
        return self.kinetic(state.p) + self.potential(state.q)


def separable(
    kinetic: Callable[[jax.Array], jax.Array], potential: Callable[[jax.Array], jax.Array]
) -> SeparableHamiltonian:
    """Returns the Hamiltonian H(q, p) = kinetic(p) + potential(q).

    The splitting integrators (`symplectic_euler`, `leapfrog`, `yoshida4`) are symplectic for Hamiltonians of this form
    only.

    Args:
      kinetic: Kinetic energy, maps momenta `[batch, ...]` to energies `[batch]`.
      potential: Potential energy, maps positions `[batch, ...]` to energies `[batch]`.
    """
    return SeparableHamiltonian(kinetic, potential)


def velocity(hamiltonian: Hamiltonian) -> Callable[[PhaseState], jax.Array]:
    """Returns the map from a state to dq/dt = dH/dp, shaped like `q`."""

    def total_energy(p: jax.Array, q: jax.Array) -> jax.Array:
        return jnp.sum(hamiltonian(PhaseState(q, p)))

    return lambda state: jax.grad(total_energy)(state.p, state.q)


def force(hamiltonian: Hamiltonian) -> Callable[[PhaseState], jax.Array]:
    """Returns the map from a state to dp/dt = -dH/dq, shaped like `p`."""

    def negative_energy(q: jax.Array, p: jax.Array) -> jax.Array:
        return -jnp.sum(hamiltonian(PhaseState(q, p)))

    return lambda state: jax.grad(negative_energy)(state.q, state.p)


def vector_field(hamiltonian: Hamiltonian) -> Callable[[PhaseState], PhaseState]:
    """Returns the map from a state to its time derivative `PhaseState(dq/dt, dp/dt)`.

    The energies of a batch are summed before they are differentiated. Each depends on its own state alone, so the
    gradient of the sum holds the gradient of each.
    """

    def total_energy(state: PhaseState) -> jax.Array:
        return jnp.sum(hamiltonian(state))

    def field(state: PhaseState) -> PhaseState:
        gradient = jax.grad(total_energy)(PhaseState(*state))
        return PhaseState(gradient.p, -gradient.q)

    return field
