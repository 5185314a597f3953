"""Numerical integration of Hamilton's equations by one `lax.scan` rollout.

An integrator is data: `INTEGRATORS` maps a name to its order, its symmetries and its step function, which is made from
the coefficients in `integration_methods`. Splitting methods are symplectic, symmetric and of their order **for
separable Hamiltonians only**. With a joint H(q, p) they run as first-order methods that preserve neither volume nor
reversibility exactly.
"""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from hgn_jax.physics.hamiltonian import Hamiltonian, SeparableHamiltonian, force, vector_field, velocity
from hgn_jax.physics.integration_methods import METHODS, RungeKutta, Splitting
from hgn_jax.physics.phase_space import PhaseState, check_state


class Integrator(NamedTuple):
    """A one-step method for Hamilton's equations.

    Attributes:
      name: Key in `INTEGRATORS`.
      order: Order of convergence: the global error of a rollout is O(dt^order).
      symplectic: Whether a step preserves the symplectic form, for separable Hamiltonians.
      symmetric: Whether a step of -dt is the exact inverse of a step of dt, for separable Hamiltonians.
      start: `(hamiltonian, state) -> carry`, the values that the first step needs besides the state.
      step: `(hamiltonian, dt, state, carry) -> (state, carry)`, one step.
      steps: `(num_steps, hamiltonian, dt, state, carry) -> (state, carry)`, several steps, equal to repeated calls of
        `step` up to rounding.
      kicks: Coefficients of the kicks of a splitting method; empty for other methods.
      drifts: Coefficients of the drifts of a splitting method; empty for other methods.
    """

    name: str
    order: int
    symplectic: bool
    symmetric: bool
    start: Callable[[Hamiltonian, PhaseState], Any]
    step: Callable[[Hamiltonian, jax.Array, PhaseState, Any], tuple[PhaseState, Any]]
    steps: Callable[[int, Hamiltonian, jax.Array, PhaseState, Any], tuple[PhaseState, Any]]
    kicks: tuple[float, ...] = ()
    drifts: tuple[float, ...] = ()


def _shift(state: PhaseState, dt, slope: PhaseState) -> PhaseState:
    return PhaseState(state.q + dt * slope.q, state.p + dt * slope.p)


def _repeated(step: Callable) -> Callable:
    """Returns the `steps` of a method that loops over its `step`."""

    def steps(num_steps, hamiltonian, dt, state, carry):
        advance = lambda state_and_carry, _: (step(hamiltonian, dt, *state_and_carry), None)
        return jax.lax.scan(advance, (state, carry), None, num_steps)[0]

    return steps


def _runge_kutta(name: str, order: int, nodes: tuple[float, ...], weights: tuple[float, ...]) -> Integrator:
    """Returns the integrator of an `integration_methods.RungeKutta`."""

    def step(hamiltonian, dt, state, carry):
        field = vector_field(hamiltonian)
        slopes = [field(state)]
        for node in nodes[1:]:
            slopes.append(field(_shift(state, node * dt, slopes[-1])))
        for weight, slope in zip(weights, slopes, strict=True):
            state = _shift(state, weight * dt, slope)
        return state, carry

    return Integrator(name, order, False, False, lambda hamiltonian, state: (), step, _repeated(step))


def _splitting(name: str, order: int, kicks: tuple[float, ...], drifts: tuple[float, ...]) -> Integrator:
    """Returns the integrator of an `integration_methods.Splitting`.

    A kick is the exact flow of V(q) and a drift is the exact flow of T(p), so every composition is symplectic.
    Coefficients that read the same backwards make it symmetric. The next step starts at the q where the last drift
    ended; the force there is carried over, so that a separable system computes it once. Between consecutive steps the
    closing and the opening kick are merged into one.
    """
    merged_kick = kicks[-1] + kicks[0]

    def start(hamiltonian, state):
        return force(hamiltonian)(state)

    def opening_kick(dt, state, opening_force):
        return PhaseState(state.q, state.p + kicks[0] * dt * opening_force)

    def drifts_and_kicks(later_kicks, hamiltonian, dt, state):
        q, p = state
        for drift, kick in zip(drifts, later_kicks, strict=True):
            q = q + drift * dt * velocity(hamiltonian)(PhaseState(q, p))
            closing_force = force(hamiltonian)(PhaseState(q, p))
            p = p + kick * dt * closing_force
        return PhaseState(q, p), closing_force

    def step(hamiltonian, dt, state, opening_force):
        if not isinstance(hamiltonian, SeparableHamiltonian):  # the force may have changed with p
            opening_force = force(hamiltonian)(state)
        return drifts_and_kicks(kicks[1:], hamiltonian, dt, opening_kick(dt, state, opening_force))

    def steps(num_steps, hamiltonian, dt, state, opening_force):
        if not isinstance(hamiltonian, SeparableHamiltonian):
            return _repeated(step)(num_steps, hamiltonian, dt, state, opening_force)

        def merged_step(state, _):
            return drifts_and_kicks((*kicks[1:-1], merged_kick), hamiltonian, dt, state)[0], None

        state, _ = jax.lax.scan(merged_step, opening_kick(dt, state, opening_force), None, length=num_steps - 1)
        return drifts_and_kicks(kicks[1:], hamiltonian, dt, state)

    return Integrator(name, order, True, kicks == kicks[::-1], start, step, steps, kicks, drifts)


_MAKERS = {RungeKutta: _runge_kutta, Splitting: _splitting}

INTEGRATORS: dict[str, Integrator] = {method.name: _MAKERS[type(method)](**method._asdict()) for method in METHODS}


def get_integrator(name: str) -> Integrator:
    """Returns the integrator with a name; raises ValueError with the list of names for any other."""
    if name not in INTEGRATORS:
        raise ValueError(f"unknown integrator {name!r}; choose one of {', '.join(INTEGRATORS)}")
    return INTEGRATORS[name]


def _with_friction(method: Integrator, friction: jax.Array) -> Integrator:
    """Returns a splitting method whose steps begin and end with half a step of friction.

    The momenta do not enter the force of a separable Hamiltonian, so the force may still be carried over.
    """

    def step(hamiltonian, dt, state, carry):
        decay = jnp.exp(-0.5 * friction * dt)
        state, carry = method.step(hamiltonian, dt, PhaseState(state.q, decay * state.p), carry)
        return PhaseState(state.q, decay * state.p), carry

    return method._replace(symplectic=False, step=step, steps=_repeated(step))


def _check_friction(method: Integrator, hamiltonian: Hamiltonian) -> None:
    if not method.kicks:
        splitting = ", ".join(name for name, other in INTEGRATORS.items() if other.kicks)
        raise ValueError(f"friction needs a splitting method ({splitting}), got {method.name}")
    if not isinstance(hamiltonian, SeparableHamiltonian):
        raise ValueError("friction needs a separable Hamiltonian T(p) + V(q), got one of (q, p)")


def rollout(
    hamiltonian: Hamiltonian,
    state: PhaseState,
    dt: float | jax.Array,
    num_steps: int,
    integrator: str = "leapfrog",
    substeps: int = 1,
    unroll: int | bool = 1,
    friction: float | jax.Array | None = None,
) -> PhaseState:
    """Integrates Hamilton's equations from a state and records the path.

    With friction gamma it integrates dq/dt = dH/dp, dp/dt = -dH/dq - gamma p: p is multiplied by exp(-gamma dt / 2)
    before and after each step, which is the exact flow of the friction. So every step shrinks the volume of phase space
    by exactly exp(-gamma dt) per coordinate, and a step of -dt is still the exact inverse (conformal leapfrog).

    Args:
      hamiltonian: Energy, maps a `PhaseState` to one number per batch element.
      state: Initial state, `q` and `p` of the same shape `[...]`.
      dt: Time between recorded states; a negative one runs time backwards. An array is broadcast against the states:
        `[batch, 1, ...]` gives each example its own step.
      num_steps: Number of states to record after the initial one.
      integrator: Name in `INTEGRATORS`.
      substeps: Number of integration steps, of length `dt / substeps` each, per recorded state.
      unroll: Argument of `jax.lax.scan`; True unrolls the loop over recorded states entirely.
      friction: Rate gamma at which momenta decay, broadcast against `p`; None for a conservative system. Only splitting
        methods with a separable Hamiltonian can have it.

    Returns:
      The path, a `PhaseState` with `q` and `p` of shape `[num_steps + 1, ...]`, the initial state included.

    Raises:
      ValueError: If the integrator is unknown, `num_steps < 0` or `substeps < 1`, or if friction is asked of a rollout
        that cannot have it.
      AssertionError: If `q` and `p` differ in shape or are not floating-point.
    """
    if num_steps < 0:
        raise ValueError(f"num_steps must be 0 or more, got {num_steps}")
    if substeps < 1:
        raise ValueError(f"substeps must be 1 or more, got {substeps}")
    method = get_integrator(integrator)
    state = PhaseState(jnp.asarray(state.q), jnp.asarray(state.p))
    check_state(state)
    step_size = jnp.asarray(dt, state.q.dtype) / substeps

    if friction is not None:
        _check_friction(method, hamiltonian)
        method = _with_friction(method, jnp.asarray(friction, state.p.dtype))
    advance = method.step if substeps == 1 else functools.partial(method.steps, substeps)

    def recorded_step(carry, _):
        carry = advance(hamiltonian, step_size, *carry)
        return carry, carry[0]

    carry = (state, method.start(hamiltonian, state))
    _, path = jax.lax.scan(recorded_step, carry, None, length=num_steps, unroll=unroll)
    return jax.tree.map(lambda first, rest: jnp.concatenate([first[None], rest]), state, path)
