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
from hgn_jax.physics.integration_methods import ADJOINTS, METHODS, RungeKutta, Splitting
from hgn_jax.physics.phase_space import PhaseState, align, as_state, step_along
from hgn_jax.physics.reversible import reversible


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
    return PhaseState(*(step_along(x, dt, change) for x, change in zip(state, slope, strict=True)))


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
        return PhaseState(state.q, step_along(state.p, kicks[0] * dt, opening_force))

    def drifts_and_kicks(later_kicks, hamiltonian, dt, state):
        q, p = state
        for drift, kick in zip(drifts, later_kicks, strict=True):
            q = step_along(q, drift * dt, velocity(hamiltonian)(PhaseState(q, p)))
            closing_force = force(hamiltonian)(PhaseState(q, p))
            p = step_along(p, kick * dt, closing_force)
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

    def decayed(state, dt):
        return PhaseState(state.q, jax.tree.map(lambda p: jnp.exp(-0.5 * friction * align(dt, p)) * p, state.p))

    def step(hamiltonian, dt, state, carry):
        state, carry = method.step(hamiltonian, dt, decayed(state, dt), carry)
        return decayed(state, dt), carry

    return method._replace(symplectic=False, step=step, steps=_repeated(step))


def _check_splitting(subject: str, method: Integrator, hamiltonian: Hamiltonian) -> None:
    """Raises ValueError unless the method is a splitting and the Hamiltonian is separable, as the subject needs."""
    if not method.kicks:
        splitting = ", ".join(name for name, other in INTEGRATORS.items() if other.kicks)
        raise ValueError(f"{subject} needs a splitting method ({splitting}), got {method.name}")
    if not isinstance(hamiltonian, SeparableHamiltonian):
        raise ValueError(f"{subject} needs a separable Hamiltonian T(p) + V(q), got one of (q, p)")


def _friction_rates(friction: float | jax.Array, state: PhaseState) -> jax.Array:
    """Returns the rates as an array; raises ValueError unless they can be broadcast against all momenta."""
    momenta = jax.tree.leaves(state.p)
    rates = jnp.asarray(friction, momenta[0].dtype)
    for p in momenta:
        if rates.ndim > p.ndim or any(n not in (1, m) for n, m in zip(rates.shape[::-1], p.shape[::-1], strict=False)):
            raise ValueError(f"friction of shape {rates.shape} cannot be broadcast against momenta of shape {p.shape}")
    return rates


def _step_size(dt: float | jax.Array, state: PhaseState) -> jax.Array:
    """Returns dt as an array; raises ValueError unless its axes are leading axes of the states, or of length 1."""
    leaves = jax.tree.leaves(state)
    step_size = jnp.asarray(dt, leaves[0].dtype)
    for x in leaves:
        if step_size.ndim > x.ndim or any(n not in (1, m) for n, m in zip(step_size.shape, x.shape, strict=False)):
            raise ValueError(
                f"dt of shape {step_size.shape} does not fit states of shape {x.shape}: give one number, or one per "
                f"example, of shape {x.shape[:1] if x.ndim > 1 else x.shape}"
            )
    return step_size


def rollout(
    hamiltonian: Hamiltonian,
    state: PhaseState,
    dt: float | jax.Array,
    num_steps: int,
    integrator: str = "leapfrog",
    substeps: int = 1,
    unroll: int | bool = 1,
    friction: float | jax.Array | None = None,
    adjoint: str = "direct",
) -> PhaseState:
    """Integrates Hamilton's equations from a state and records the path.

    With friction gamma it integrates dq/dt = dH/dp, dp/dt = -dH/dq - gamma p: p is multiplied by exp(-gamma dt / 2)
    before and after each step, which is the exact flow of the friction. So every step shrinks the volume of phase space
    by exactly exp(-gamma dt) per coordinate, and a step of -dt is still the exact inverse (conformal leapfrog).

    Only recorded states are returned, but a gradient through the path has to know what happened in between. By default
    the values of all steps and substeps are kept for it, so its memory grows with their number. With
    `adjoint="reversible"` the states between the recorded ones are computed again on the way back, by steps of -dt, and
    nothing is kept but the path: `num_steps=1` with any number of substeps takes constant memory. The gradients, also
    with respect to dt and to the parameters of the Hamiltonian, agree up to rounding. Rounding errors grow within an
    interval between recorded states as the system's own instability lets them. Forward-mode derivatives (`jax.jvp`)
    need the default. The idea is that of Maclaurin et al. (2015) and of Gomez et al. (2017, arXiv 1707.04585).

    Args:
      hamiltonian: Energy, maps a `PhaseState` to one number per batch element.
      state: Initial state, `q` and `p` of the same structure, shape `[...]` and type; see `PhaseState`.
      dt: Time between recorded states; a negative one runs time backwards. An array `[batch]` gives each example its
        own step; its axes are the leading axes of the states, and `[batch, 1, ...]` means the same.
      num_steps: Number of states to record after the initial one.
      integrator: Name in `INTEGRATORS`.
      substeps: Number of integration steps, of length `dt / substeps` each, per recorded state.
      unroll: Argument of `jax.lax.scan`; True unrolls the loop over recorded states entirely.
      friction: Rate gamma at which momenta decay, broadcast against `p`; None for a conservative system. Only splitting
        methods with a separable Hamiltonian can have it.
      adjoint: `direct`, or `reversible` to recompute states for gradients. The latter is for splitting methods with a
        separable Hamiltonian and without friction, which would amplify rounding errors on the way back.

    Returns:
      The path, a `PhaseState` with `q` and `p` of shape `[num_steps + 1, ...]`, the initial state included.

    Raises:
      ValueError: In one line, if the integrator or the adjoint is unknown, `num_steps < 0` or `substeps < 1`, if `q`
        and `p` differ in structure, shape or type or are not floating-point, if `dt` does not fit them, if the energy
        is not one number per batch element, or if friction or the reversible adjoint is asked of a rollout that cannot
        have it.
    """
    if num_steps < 0:
        raise ValueError(f"num_steps must be 0 or more, got {num_steps}")
    if substeps < 1:
        raise ValueError(f"substeps must be 1 or more, got {substeps}")
    if adjoint not in ADJOINTS:
        raise ValueError(f"unknown adjoint {adjoint!r}; choose one of {', '.join(ADJOINTS)}")
    method = get_integrator(integrator)
    state = as_state(state)
    step_size = _step_size(dt, state) / substeps
    if friction is not None:
        _check_splitting("friction", method, hamiltonian)
        method = _with_friction(method, _friction_rates(friction, state))

    def later_states(hamiltonian: Hamiltonian, step_size: jax.Array, state: PhaseState) -> PhaseState:
        advance = method.step if substeps == 1 else functools.partial(method.steps, substeps)

        def recorded_step(carry, _):
            carry = advance(hamiltonian, step_size, *carry)
            return carry, carry[0]

        carry = (state, method.start(hamiltonian, state))
        return jax.lax.scan(recorded_step, carry, None, length=num_steps, unroll=unroll)[1]

    if adjoint == "reversible":
        _check_splitting("a reversible adjoint", method, hamiltonian)
        if friction is not None:
            raise ValueError("a reversible adjoint needs a rollout without friction, which amplifies errors backwards")
        later_states = reversible(later_states, method.kicks, method.drifts, substeps, unroll)
    path = later_states(hamiltonian, step_size, state)
    return jax.tree.map(lambda first, rest: jnp.concatenate([first[None], rest]), state, path)
