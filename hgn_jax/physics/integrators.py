"""Numerical integration of Hamilton's equations through one `lax.scan` rollout.

An integrator is data: `INTEGRATORS` maps a name to its order, whether it is symplectic and whether it
is symmetric in time (a step of +dt undone exactly by a step of -dt), and its step function, made of
the coefficients in `integration_methods`. They are symplectic and symmetric, and reach
their order, **for separable Hamiltonians only**; with a joint H(q, p) they run, as first-order
methods that preserve neither volume nor reversibility exactly.
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
      name: the key in `INTEGRATORS`.
      order: the global error of a rollout is O(dt**order).
      symplectic: whether a step preserves the symplectic form (separable Hamiltonians).
      symmetric: whether a step of -dt is the exact inverse of a step of dt (separable Hamiltonians).
      start: `(hamiltonian, state) -> carry`, what the first step needs beside the state.
      step: `(hamiltonian, dt, state, carry) -> (state, carry)`.
      steps: `(num_steps, hamiltonian, dt, state, carry) -> (state, carry)`, the same as so many of them up to rounding.
      kicks, drifts: the coefficients of a composition kick, drift, kick, ..., kick; empty for other methods.
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
    """`steps` of a method from its `step`, in a loop."""

    def steps(num_steps, hamiltonian, dt, state, carry):
        return jax.lax.scan(lambda now, _: (step(hamiltonian, dt, *now), None), (state, carry), None, num_steps)[0]

    return steps


def _runge_kutta(name: str, order: int, nodes: tuple[float, ...], weights: tuple[float, ...]) -> Integrator:
    """An explicit Runge-Kutta method whose stage i starts from the slope of stage i - 1 alone."""

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
    """A composition kick, drift, kick, ..., drift, kick with one more kick than drifts.

    A kick is the exact flow of V(q) and a drift that of T(p), hence every composition is symplectic;
    coefficients that read the same backwards make it symmetric. The force after the last drift
    is carried over: the next step opens at the same q, so a separable system needs it once. Of many steps in a row the
    closing kick of one and the opening kick of the next are a single kick, which leaves less to carry and to add.
    """

    between_steps = kicks[-1] + kicks[0]

    def start(hamiltonian, state):
        return force(hamiltonian)(state)

    def opened(dt, state, opening_force):
        return PhaseState(state.q, state.p + kicks[0] * dt * opening_force)

    def drifts_and(later_kicks, hamiltonian, dt, state):
        q, p = state
        for drift, kick in zip(drifts, later_kicks, strict=True):
            q = q + drift * dt * velocity(hamiltonian)(PhaseState(q, p))
            closing_force = force(hamiltonian)(PhaseState(q, p))
            p = p + kick * dt * closing_force
        return PhaseState(q, p), closing_force

    def step(hamiltonian, dt, state, opening_force):
        if not isinstance(hamiltonian, SeparableHamiltonian):  # the force may have changed with p
            opening_force = force(hamiltonian)(state)
        return drifts_and(kicks[1:], hamiltonian, dt, opened(dt, state, opening_force))

    def steps(num_steps, hamiltonian, dt, state, opening_force):
        if not isinstance(hamiltonian, SeparableHamiltonian):
            return _repeated(step)(num_steps, hamiltonian, dt, state, opening_force)

        def to_the_next(state, _):
            return drifts_and((*kicks[1:-1], between_steps), hamiltonian, dt, state)[0], None

        state, _ = jax.lax.scan(to_the_next, opened(dt, state, opening_force), None, length=num_steps - 1)
        return drifts_and(kicks[1:], hamiltonian, dt, state)

    return Integrator(name, order, True, kicks == kicks[::-1], start, step, steps, kicks, drifts)


_MAKERS = {RungeKutta: _runge_kutta, Splitting: _splitting}

INTEGRATORS: dict[str, Integrator] = {method.name: _MAKERS[type(method)](**method._asdict()) for method in METHODS}


def get_integrator(name: str) -> Integrator:
    """Returns the integrator called `name`; raises ValueError listing the names there are."""
    if name not in INTEGRATORS:
        raise ValueError(f"unknown integrator {name!r}; choose one of {', '.join(INTEGRATORS)}")
    return INTEGRATORS[name]


def rollout(
    hamiltonian: Hamiltonian,
    state: PhaseState,
    dt: float | jax.Array,
    num_steps: int,
    integrator: str = "leapfrog",
    substeps: int = 1,
    unroll: int | bool = 1,
) -> PhaseState:
    """Integrates Hamilton's equations from `state` and records the path.

    Args:
      hamiltonian: maps a `PhaseState` to an energy per batch element.
      state: where to start, `q` and `p` of one shape `[...]`.
      dt: time between recorded states; negative runs time backwards. An array multiplies the states, so that
        `[batch, 1, ...]` gives each example its own.
      num_steps: number of states recorded after the first.
      integrator: a name in `INTEGRATORS`.
      substeps: integration steps of length `dt / substeps` between recorded states, which are not stored.
      unroll: passed to `jax.lax.scan`; `True` unrolls the loop over recorded states entirely.

    Returns:
      The path, a `PhaseState` with `q` and `p` of shape `[num_steps + 1, ...]`, the start included.

    Raises:
      ValueError: for an unknown integrator, `num_steps < 0` or `substeps < 1`.
      AssertionError: if `q` and `p` differ in shape or are not floating-point.
    """
    if num_steps < 0:
        raise ValueError(f"num_steps must be 0 or more, got {num_steps}")
    if substeps < 1:
        raise ValueError(f"substeps must be 1 or more, got {substeps}")
    method = get_integrator(integrator)
    state = PhaseState(jnp.asarray(state.q), jnp.asarray(state.p))
    check_state(state)
    step_size = jnp.asarray(dt, state.q.dtype) / substeps

    advance = method.step if substeps == 1 else functools.partial(method.steps, substeps)

    def recorded_step(carry, _):
        carry = advance(hamiltonian, step_size, *carry)
        return carry, carry[0]

    carry = (state, method.start(hamiltonian, state))
    _, path = jax.lax.scan(recorded_step, carry, None, length=num_steps, unroll=unroll)
    return jax.tree.map(lambda first, rest: jnp.concatenate([first[None], rest]), state, path)
