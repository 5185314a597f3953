"""Hamiltonians and the vector fields they generate.

A Hamiltonian is any callable that takes a `PhaseState` and returns an energy, one scalar per batch
element. Hamilton's equations (Eq. 3 of the paper) then give the motion,

    dq/dt = dH/dp,    dp/dt = -dH/dq,

with derivatives taken by `jax.grad`, so a formula and a neural network are treated alike.
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
      kinetic: T, maps momenta to an energy per batch element.
      potential: V, maps positions to an energy per batch element.
    """

    kinetic: Callable[[jax.Array], jax.Array]
    potential: Callable[[jax.Array], jax.Array]

    def __call__(self, state: PhaseState) -> jax.Array:
        return self.kinetic(state.p) + self.potential(state.q)


def separable(
    kinetic: Callable[[jax.Array], jax.Array], potential: Callable[[jax.Array], jax.Array]
) -> SeparableHamiltonian:
    """Returns the Hamiltonian H(q, p) = kinetic(p) + potential(q).

    The splitting integrators (`symplectic_euler`, `leapfrog`, `yoshida4`) are symplectic only for
    Hamiltonians of this form.

    Args:
      kinetic: maps momenta `[batch, ...]` to energies `[batch]`.
      potential: maps positions `[batch, ...]` to energies `[batch]`.
    """
    return SeparableHamiltonian(kinetic, potential)


def velocity(hamiltonian: Hamiltonian) -> Callable[[PhaseState], jax.Array]:
    """Returns the map from a state to dq/dt = dH/dp, shaped like `q`."""

    def total_energy(p, q):
        return jnp.sum(hamiltonian(PhaseState(q, p)))

    return lambda state: jax.grad(total_energy)(state.p, state.q)


def force(hamiltonian: Hamiltonian) -> Callable[[PhaseState], jax.Array]:
    """Returns the map from a state to dp/dt = -dH/dq, shaped like `p`."""

    def negative_energy(q, p):
        return -jnp.sum(hamiltonian(PhaseState(q, p)))

    return lambda state: jax.grad(negative_energy)(state.q, state.p)


def vector_field(hamiltonian: Hamiltonian) -> Callable[[PhaseState], PhaseState]:
    """Returns the map from a state to its time derivative `PhaseState(dq/dt, dp/dt)`.

    The energies of a batch are summed before differentiation; as each depends on its own state
    alone, the gradient of the sum holds the gradient of each.
    """

    def total_energy(state):
        return jnp.sum(hamiltonian(state))

    def field(state: PhaseState) -> PhaseState:
        gradient = jax.grad(total_energy)(PhaseState(*state))
        return PhaseState(gradient.p, -gradient.q)

    return field
