"""Hamiltonians and the vector fields they generate.

A Hamiltonian is any function that maps a `PhaseState` to an energy, one number per batch element. Hamilton's equations
(Eq. 3 of the paper) then give the motion,

    dq/dt = dH/dp,    dp/dt = -dH/dq,

with derivatives taken by `jax.grad`, so that a formula and a neural network are treated alike.

The energies of a batch are summed before they are differentiated. Each depends on its own state alone, so the gradient
of the sum holds the gradient of each. This needs one number per batch element: of energies that were broadcast against
each other, some would count several times and the motion would be too fast. Such shapes are therefore refused.
"""

import dataclasses
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from hgn_jax.physics.phase_space import Coordinates, PhaseState, as_state

Hamiltonian = Callable[[PhaseState], jax.Array]


@dataclasses.dataclass(frozen=True)
class SeparableHamiltonian:
    """H(q, p) = T(p) + V(q).

    Attributes:
      kinetic: Kinetic energy T, maps momenta `[batch, ...]` to energies `[batch]`.
      potential: Potential energy V, maps positions `[batch, ...]` to energies `[batch]`.
    """

    kinetic: Callable[[Coordinates], jax.Array]
    potential: Callable[[Coordinates], jax.Array]

    def __call__(self, state: PhaseState) -> jax.Array:
        kinetic = _checked("the kinetic energy", self.kinetic(state.p), state.p)
        potential = _checked("the potential energy", self.potential(state.q), state.q)
        shapes = jnp.shape(kinetic), jnp.shape(potential)
        if shapes[0] != shapes[1] and not (
            _is_constant(kinetic, self.kinetic, state.p) or _is_constant(potential, self.potential, state.q)
        ):
            raise ValueError(
                f"the kinetic and the potential energy must have the same shape, got {shapes[0]} and {shapes[1]}"
            )
        return kinetic + potential


def separable(
    kinetic: Callable[[Coordinates], jax.Array], potential: Callable[[Coordinates], jax.Array]
) -> SeparableHamiltonian:
    """Returns the Hamiltonian H(q, p) = kinetic(p) + potential(q).

    The splitting integrators (`symplectic_euler`, `leapfrog`, `yoshida4`) are symplectic for Hamiltonians of this form
    only.

    Args:
      kinetic: Kinetic energy, maps momenta `[batch, ...]` to energies `[batch]`.
      potential: Potential energy, maps positions `[batch, ...]` to energies `[batch]`. Either may be a constant
        without batch axes, such as 0.0.

    Calling the result raises ValueError, in one line, if an energy is not one number per batch element, as `p**2 / 2`
    of momenta `[batch, 1]`, where the sum over the coordinates is missing.
    """
    return SeparableHamiltonian(kinetic, potential)


def _checked(name: str, energy: Any, coordinates: Coordinates) -> Any:
    """Returns energies as they are; raises ValueError unless they are one real number per batch element.

    Their shape is that of the batch axes, the leading axes of every array of the state, and the axes of the coordinates
    are left. Two exceptions cannot be told from a mistake: states `[batch]` of one coordinate have energies `[batch]`,
    and a sum over the batch passes for an energy, since it has the same gradient.
    """
    if isinstance(energy, tuple | list | dict | None):
        raise ValueError(f"{name} must be an array with one number per example, got a {type(energy).__name__}")
    shape, dtype = jnp.shape(energy), jnp.result_type(energy)
    of_states = [jnp.shape(x) for x in jax.tree.leaves(coordinates)]
    leads = all(shape == other[: len(shape)] for other in of_states)
    if not leads or all(shape == other and len(shape) > 1 for other in of_states):
        example = f" (shape {of_states[0][:1]})" if len(of_states[0]) > 1 else ""
        raise ValueError(
            f"{name} must be one number per example{example}, got shape {shape} for states of shape "
            f"{' and '.join(map(str, of_states))}; sum over the axes of the coordinates"
        )
    if not jnp.issubdtype(dtype, jnp.floating) and (shape or not jnp.issubdtype(dtype, jnp.integer)):
        raise ValueError(f"{name} must be floating-point numbers, got {dtype}")
    return energy


def _is_constant(energy: Any, function: Callable[[Coordinates], Any], x: Coordinates) -> bool:
    """Returns whether an energy is a single number that does not depend on the argument of its function."""
    if jnp.ndim(energy):
        return False
    jaxpr = jax.make_jaxpr(function)(x).jaxpr
    depending = set(map(id, jaxpr.invars))
    for equation in jaxpr.eqns:
        if not depending.isdisjoint(map(id, equation.invars)):
            depending.update(map(id, equation.outvars))
    return depending.isdisjoint(map(id, jaxpr.outvars))


def total_energy(hamiltonian: Hamiltonian, state: PhaseState) -> jax.Array:
    """Returns the sum of the energies of all states; raises ValueError unless there is one number per state."""
    energy = _checked("the Hamiltonian", hamiltonian(state), state)
    if not jnp.issubdtype(jnp.result_type(energy), jnp.floating):  # a constant such as 0
        energy = jnp.asarray(energy, jax.tree.leaves(state)[0].dtype)
    return jnp.sum(energy)


def velocity(hamiltonian: Hamiltonian) -> Callable[[PhaseState], Coordinates]:
    """Returns the map from a state to dq/dt = dH/dp, shaped like `q`."""

    def velocity_at(state: PhaseState) -> Coordinates:
        q, p = as_state(state)
        return jax.grad(lambda p: total_energy(hamiltonian, PhaseState(q, p)))(p)

    return velocity_at


def force(hamiltonian: Hamiltonian) -> Callable[[PhaseState], Coordinates]:
    """Returns the map from a state to dp/dt = -dH/dq, shaped like `p`."""

    def force_at(state: PhaseState) -> Coordinates:
        q, p = as_state(state)
        return jax.grad(lambda q: -total_energy(hamiltonian, PhaseState(q, p)))(q)

    return force_at


def vector_field(hamiltonian: Hamiltonian) -> Callable[[PhaseState], PhaseState]:
    """Returns the map from a state to its time derivative `PhaseState(dq/dt, dp/dt)`.

    The map raises ValueError if `q` and `p` differ in shape or type, or if there is not one energy per batch element.
    """

    def field(state: PhaseState) -> PhaseState:
        gradient = jax.grad(lambda state: total_energy(hamiltonian, state))(as_state(state))
        return PhaseState(gradient.p, jax.tree.map(jnp.negative, gradient.q))

    return field
