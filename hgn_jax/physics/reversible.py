"""Gradients of rollouts that reconstruct states backwards instead of keeping them.

A splitting method moves p by a force that depends on q alone, and q by a velocity that depends on p alone. Each move
is undone by subtracting what was added, and its pullback needs the same force or velocity. So the way back costs the
gradient of the energy and its derivative once per move, and keeps no states but the recorded ones.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.extend.core import ClosedJaxpr, jaxpr_as_fun

from hgn_jax.physics.hamiltonian import Hamiltonian, SeparableHamiltonian, force, separable, velocity
from hgn_jax.physics.phase_space import Coordinates, PhaseState, align, step_along

LaterStates = Callable[[Hamiltonian, jax.Array, PhaseState], PhaseState]


class _Arguments(NamedTuple):
    """What a gradient is taken of beside the state: floating-point constants of both energies, the length of a step."""

    kinetic: list[jax.Array]
    potential: list[jax.Array]
    step_size: jax.Array


# The constants of both energies that are no floating-point numbers.
_Others = tuple[list[jax.Array], list[jax.Array]]


class _Reached(NamedTuple):
    """A point on the way back: the state there, its cotangents, and those of the arguments, summed up so far."""

    q: Coordinates
    p: Coordinates
    of_q: Coordinates
    of_p: Coordinates
    of_arguments: _Arguments


# Computes the change of q or p by a whole step from the other one, and the pullback of this change.
_Move = Callable[[Coordinates], tuple[Coordinates, Callable[[Coordinates], tuple[_Arguments, Coordinates]]]]


def reversible(
    later_states: LaterStates, kicks: tuple[float, ...], drifts: tuple[float, ...], substeps: int, unroll: int | bool
) -> LaterStates:
    """Returns a function equal to `later_states` whose gradients keep nothing but its arguments and its result.

    Args:
      later_states: `(hamiltonian, step_size, state) -> path [num_steps, ...]`, the states after each recorded step of a
        splitting method, for a separable Hamiltonian.
      kicks: Coefficients of the method, as in `integration_methods.Splitting`.
      drifts: Coefficients of the method.
      substeps: Number of steps per recorded state.
      unroll: Argument of `jax.lax.scan` over recorded states.
    """

    def with_gradients(hamiltonian: SeparableHamiltonian, step_size: jax.Array, state: PhaseState) -> PhaseState:
        kinetic, kinetic_floats, kinetic_others = _expose_constants(hamiltonian.kinetic, state.p)
        potential, potential_floats, potential_others = _expose_constants(hamiltonian.potential, state.q)

        def energies(arguments: _Arguments, others: _Others) -> SeparableHamiltonian:
            of_kinetic, of_potential = _merge(arguments.kinetic, others[0]), _merge(arguments.potential, others[1])
            return separable(lambda p: kinetic(of_kinetic, p), lambda q: potential(of_potential, q))

        @jax.custom_vjp
        def path(arguments: _Arguments, others: _Others, state: PhaseState) -> PhaseState:
            return later_states(energies(arguments, others), arguments.step_size, state)

        def forward(arguments: _Arguments, others: _Others, state: PhaseState):
            later = path(arguments, others, state)
            return later, (arguments, others, state, later)

        def backward(kept: tuple[_Arguments, _Others, PhaseState, PhaseState], of_later: PhaseState):
            arguments, others, first, later = kept

            def change_of_p(arguments: _Arguments, q: Coordinates) -> Coordinates:
                return _scaled(arguments.step_size, force(energies(arguments, others))(PhaseState(q, q)))  # for any p

            def change_of_q(arguments: _Arguments, p: Coordinates) -> Coordinates:
                return _scaled(arguments.step_size, velocity(energies(arguments, others))(PhaseState(p, p)))

            kick, drift = (lambda x, f=f: jax.vjp(f, arguments, x) for f in (change_of_p, change_of_q))
            undo_interval, undo_first_kick = _undo(kick, drift, kicks, drifts, substeps)
            start = jax.tree.map(jnp.zeros_like, (*first, arguments))
            carry, _ = jax.lax.scan(undo_interval, start, (later, of_later), reverse=True, unroll=unroll)
            of_q, of_p, of_arguments = undo_first_kick(first, carry)
            return of_arguments, None, PhaseState(of_q, of_p)

        path.defvjp(forward, backward)
        arguments = _Arguments(kinetic_floats, potential_floats, step_size)
        return path(arguments, (kinetic_others, potential_others), state)

    return with_gradients


def _expose_constants(energy: Callable[[Coordinates], Any], x: Coordinates):
    """Makes arguments of the arrays that an energy closes over, such as the parameters of a network.

    Like `jax.closure_convert`, but for arrays of whole numbers too, so that nothing is left to close over.

    Returns:
      The energy as `(constants, x) -> energies`; the floating-point constants, which have gradients; and the others.
      The two lists have None in each other's places.
    """
    closed = jax.make_jaxpr(energy)(x)

    def exposed(constants: list[jax.Array], x: Coordinates) -> jax.Array:
        return jaxpr_as_fun(ClosedJaxpr(closed.jaxpr, constants))(*jax.tree.leaves(x))[0]

    is_float = [jnp.issubdtype(constant.dtype, jnp.floating) for constant in closed.consts]
    floats = [x if selected else None for x, selected in zip(closed.consts, is_float, strict=True)]
    others = [None if selected else x for x, selected in zip(closed.consts, is_float, strict=True)]
    return exposed, floats, others


def _merge(first: list[Any], second: list[Any]) -> list[Any]:
    return [y if x is None else x for x, y in zip(first, second, strict=True)]


def _undo(
    kick: _Move, drift: _Move, kicks: tuple[float, ...], drifts: tuple[float, ...], substeps: int
) -> tuple[Callable[..., Any], Callable[..., Any]]:
    """Returns the way back over one interval between recorded states, and over the first kick of all.

    Both take and return the cotangents `(of_q, of_p, of_arguments)` right after the opening kick of an interval. The
    opening kick and the closing kick before it are at one q, that of a recorded state, and share its force.
    """
    opening, closing = kicks[0], kicks[-1]

    def undo_kick(at: _Reached, coefficient: float) -> _Reached:
        change, pull_back = kick(at.q)
        of_arguments, of_q = pull_back(_scaled(coefficient, at.of_p))
        p = step_along(at.p, -coefficient, change)
        return at._replace(p=p, of_q=_sum(at.of_q, of_q), of_arguments=_sum(at.of_arguments, of_arguments))

    def undo_drift(at: _Reached, coefficient: float) -> _Reached:
        change, pull_back = drift(at.p)
        of_arguments, of_p = pull_back(_scaled(coefficient, at.of_q))
        q = step_along(at.q, -coefficient, change)
        return at._replace(q=q, of_p=_sum(at.of_p, of_p), of_arguments=_sum(at.of_arguments, of_arguments))

    def undo_between(at: _Reached) -> _Reached:
        """The moves of one step between its opening and its closing kick."""
        at = undo_drift(at, drifts[-1])
        for inner_kick, earlier_drift in zip(kicks[-2:0:-1], drifts[-2::-1], strict=True):
            at = undo_drift(undo_kick(at, inner_kick), earlier_drift)
        return at

    def undo_interval(carry, recorded: tuple[PhaseState, PhaseState]):
        (of_q, of_p, of_arguments), (state, of_state) = carry, recorded
        change, pull_back = kick(state.q)
        of_p_before = _sum(of_p, of_state.p)
        of_kicks, of_q_by_kicks = pull_back(_sum(_scaled(opening, of_p), _scaled(closing, of_p_before)))
        at = _Reached(
            q=state.q,
            p=step_along(state.p, -closing, change),
            of_q=_sum(of_q, of_state.q, of_q_by_kicks),
            of_p=of_p_before,
            of_arguments=_sum(of_arguments, of_kicks),
        )
        undo_substep = lambda at, _: (undo_kick(undo_between(at), opening + closing), None)
        at = undo_between(jax.lax.scan(undo_substep, at, None, length=substeps - 1)[0])
        return (at.of_q, at.of_p, at.of_arguments), None

    def undo_first_kick(state: PhaseState, carry) -> Any:
        at = undo_kick(_Reached(*state, *carry), opening)
        return at.of_q, at.of_p, at.of_arguments

    return undo_interval, undo_first_kick


def _scaled(factor: float | jax.Array, tree: Coordinates) -> Coordinates:
    return jax.tree.map(lambda x: align(factor, x) * x, tree)


def _sum(*trees: Any) -> Any:
    return jax.tree.map(lambda *leaves: sum(leaves[1:], leaves[0]), *trees)
