"""Numerical integration of Hamilton's equations through one `lax.scan` rollout.

An integrator is data: `INTEGRATORS` maps a name to its order, whether it is symplectic and whether it
is symmetric in time (a step of +dt undone exactly by a step of -dt), and its step function. The
splitting methods differ only in their coefficients. They are symplectic and symmetric, and reach
their order, **for separable Hamiltonians only**; with a joint H(q, p) they run, as first-order
methods that preserve neither volume nor reversibility exactly.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from hgn_jax.hamiltonian import Hamiltonian, SeparableHamiltonian, force, vector_field, velocity
from hgn_jax.phase_space import PhaseState, check_state


class Integrator(NamedTuple):
    """A one-step method for Hamilton's equations.

    Attributes:
      name: the key in `INTEGRATORS`.
      order: the global error of a rollout is O(dt**order).
      symplectic: whether a step preserves the symplectic form (separable Hamiltonians).
      symmetric: whether a step of -dt is the exact inverse of a step of dt (separable Hamiltonians).
      start: `(hamiltonian, state) -> carry`, what the first step needs beside the state.
      step: `(hamiltonian, dt, state, carry) -> (state, carry)`.
      kicks, drifts: the coefficients of a composition kick, drift, kick, ..., kick; empty for other methods.
    """

    name: str
    order: int
    symplectic: bool
    symmetric: bool
    start: Callable[[Hamiltonian, PhaseState], Any]
    step: Callable[[Hamiltonian, jax.Array, PhaseState, Any], tuple[PhaseState, Any]]
    kicks: tuple[float, ...] = ()
    drifts: tuple[float, ...] = ()


def _shift(state: PhaseState, dt, slope: PhaseState) -> PhaseState:
    return PhaseState(state.q + dt * slope.q, state.p + dt * slope.p)


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

    return Integrator(name, order, False, False, lambda hamiltonian, state: (), step)


def _splitting(name: str, order: int, kicks: tuple[float, ...], drifts: tuple[float, ...]) -> Integrator:
    """A composition kick, drift, kick, ..., drift, kick with one more kick than drifts.

    A kick is the exact flow of V(q) and a drift that of T(p), hence every composition is symplectic;
    coefficients that read the same backwards make it symmetric. The force after the last drift
    is carried over: the next step opens at the same q, so a separable system needs it once.
    """

    def start(hamiltonian, state):
        return force(hamiltonian)(state)

    def step(hamiltonian, dt, state, opening_force):
        q, p = state
        if not isinstance(hamiltonian, SeparableHamiltonian):  # the force may have changed with p
            opening_force = force(hamiltonian)(state)
        p = p + kicks[0] * dt * opening_force
        for drift, kick in zip(drifts, kicks[1:], strict=True):
            q = q + drift * dt * velocity(hamiltonian)(PhaseState(q, p))
            closing_force = force(hamiltonian)(PhaseState(q, p))
            p = p + kick * dt * closing_force
        return PhaseState(q, p), closing_force

    return Integrator(name, order, True, kicks == kicks[::-1], start, step, kicks, drifts)


# Yoshida (1990), Phys. Lett. A 150, Eq. 2.11: three leapfrog steps of lengths w1, w0, w1.
_W1 = 1.0 / (2.0 - 2.0 ** (1.0 / 3.0))
_W0 = 1.0 - 2.0 * _W1

INTEGRATORS: dict[str, Integrator] = {
    integrator.name: integrator
    for integrator in (
        _runge_kutta("euler", order=1, nodes=(0.0,), weights=(1.0,)),  # Eqs. 16-17
        _splitting("symplectic_euler", order=1, kicks=(1.0, 0.0), drifts=(1.0,)),
        _splitting("leapfrog", order=2, kicks=(0.5, 0.5), drifts=(1.0,)),  # Eqs. 24-25, with dT/dp for p
        _splitting(
            "yoshida4",
            order=4,
            kicks=(_W1 / 2, (_W1 + _W0) / 2, (_W0 + _W1) / 2, _W1 / 2),
            drifts=(_W1, _W0, _W1),
        ),
        _runge_kutta("rk4", order=4, nodes=(0.0, 0.5, 0.5, 1.0), weights=(1 / 6, 1 / 3, 1 / 3, 1 / 6)),  # Eqs. 18-22
    )
}


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
      dt: time between recorded states; negative runs time backwards.
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

    def substep(carry, _):
        return method.step(hamiltonian, step_size, *carry), None

    def recorded_step(carry, _):
        carry, _ = jax.lax.scan(substep, carry, None, length=substeps) if substeps > 1 else substep(carry, None)
        return carry, carry[0]

    carry = (state, method.start(hamiltonian, state))
    _, path = jax.lax.scan(recorded_step, carry, None, length=num_steps, unroll=unroll)
    return jax.tree.map(lambda first, rest: jnp.concatenate([first[None], rest]), state, path)
