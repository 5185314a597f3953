"""The flow of a Neural Hamiltonian Flow: a list of kicks and drifts by learned energies.

Each link is a learned Hamiltonian H_i(q, p) = T_i(p) + V_i(q), integrated by a composition of kicks, p - t dV/dq, and
drifts, q + t dT/dp. These have an exact inverse, the same with -t, and preserve volume for any t.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from hgn_jax.models.nhf_config import NHFConfig
from hgn_jax.networks.mlp import mlp
from hgn_jax.physics.integrators import INTEGRATORS
from hgn_jax.physics.phase_space import PhaseState

Params = dict[str, Any]
Energy = Callable[[jax.Array], jax.Array]


class Move(NamedTuple):
    """A kick by a potential energy or a drift by a kinetic energy, for a certain time.

    Attributes:
      kind: `kick` or `drift`.
      index: Index of the energy among those of its kind.
      duration: Time in units of dt.
    """

    kind: str
    index: int
    duration: float


class Flow(NamedTuple):
    """The flow as pure functions of its parameters. States are `PhaseState`s with `q` and `p` of shape `[..., d]`.

    Inside the flow q is stretched by `input_scale` and p is divided by it.

    Attributes:
      init: `(kick_key, drift_key, x) -> params`; x, `[1, d]`, gives the dimension.
      push_forward: `(params, state) -> state`, from the prior to the data.
      pull_back: `(params, state) -> state`, the inverse of `push_forward`.
      pull_back_stretched: `(params, state) -> state`, `pull_back` of a state that is stretched already. Its `q` may
        lack leading axes of its `p`; the first kick then serves all momenta.
      path: `(params, state, substeps=1) -> PhaseState`; see `NHF`.
      potential: `(params, q) -> [...]`, the mean of the potentials over the flow, weighted by their durations.
      kinetic: `(params, p) -> [...]`, the same mean of the kinetic energies.
    """

    init: Callable[[jax.Array, jax.Array, jax.Array], Params]
    push_forward: Callable[[Params, PhaseState], PhaseState]
    pull_back: Callable[[Params, PhaseState], PhaseState]
    pull_back_stretched: Callable[[Params, PhaseState], PhaseState]
    path: Callable[..., PhaseState]
    potential: Callable[[Params, jax.Array], jax.Array]
    kinetic: Callable[[Params, jax.Array], jax.Array]


def flow_moves(config: NHFConfig) -> tuple[Move, ...]:
    """The kicks and drifts of the whole flow in order.

    Where two kicks by the same potential meet, they are merged: L leapfrog steps of one Hamiltonian take L + 1 kicks.
    """
    method = INTEGRATORS[config.integrator]
    moves: list[Move] = []

    def add(kind: str, index: int, duration: float) -> None:
        if duration == 0.0:
            return
        if moves and (moves[-1].kind, moves[-1].index) == (kind, index):
            duration += moves.pop().duration
        moves.append(Move(kind, index, duration))

    for link in range(config.num_links):
        index = 0 if config.links == "shared" else link
        for _ in range(config.steps_per_link):
            for kick, drift in zip(method.kicks, method.drifts, strict=False):
                add("kick", index, kick)
                add("drift", index, drift)
            add("kick", index + 1 if config.links == "merged" else index, method.kicks[-1])
    return tuple(moves)


def make_flow(config: NHFConfig) -> Flow:
    """Builds the flow of a Neural Hamiltonian Flow."""
    moves = flow_moves(config)
    # Biases as wide as the data are inside the flow put the bends of the energies where the data are.
    network = mlp(
        (*config.hidden_sizes, 1), config.activation, config.energy_gain, config.energy_output_gain, config.input_scale
    )

    def init(kick_key: jax.Array, drift_key: jax.Array, x: jax.Array) -> Params:
        def energies(kind: str, key: jax.Array) -> tuple[Params, ...]:
            count = 1 + max(move.index for move in moves if move.kind == kind)
            return tuple(network.init(k, x) for k in jax.random.split(key, count))

        params = {"kick": energies("kick", kick_key)}
        if config.kinetic == "mlp":
            params["drift"] = energies("drift", drift_key)
        if config.learned_dt:
            params["log_dt"] = jnp.log(jnp.asarray(config.dt, x.dtype))
        return params

    def energy(params: Params, move: Move) -> Energy:
        if move.kind == "drift" and config.kinetic == "quadratic":
            return lambda p: 0.5 * jnp.sum(p**2, axis=-1)
        return lambda x: network.apply(params[move.kind][move.index], x)[..., 0]

    def apply_moves(params: Params, state: PhaseState, moves: Sequence[Move], direction: float) -> PhaseState:
        dt = direction * (jnp.exp(params["log_dt"]) if config.learned_dt else config.dt)
        for move in moves:
            state = _apply_move(state, energy(params, move), move, dt)
        return state

    def push_forward(params: Params, state: PhaseState) -> PhaseState:
        return _stretch(apply_moves(params, state, moves, 1.0), 1.0 / config.input_scale)

    def pull_back_stretched(params: Params, state: PhaseState) -> PhaseState:
        return apply_moves(params, state, moves[::-1], -1.0)

    def pull_back(params: Params, state: PhaseState) -> PhaseState:
        return pull_back_stretched(params, _stretch(state, config.input_scale))

    def path(params: Params, state: PhaseState, substeps: int = 1) -> PhaseState:
        states = [state]
        for move in moves:
            if move.kind == "kick":
                state = apply_moves(params, state, [move], 1.0)
                continue
            part = move._replace(duration=move.duration / substeps)
            for _ in range(substeps):
                state = apply_moves(params, state, [part], 1.0)
                states.append(state)
        states[-1] = state  # includes the closing kick
        return _stretch(jax.tree.map(lambda *x: jnp.stack(x), *states), 1.0 / config.input_scale)

    def mean_energy(params: Params, kind: str, x: jax.Array) -> jax.Array:
        total = sum(move.duration for move in moves if move.kind == kind)
        return sum(move.duration / total * energy(params, move)(x) for move in moves if move.kind == kind)

    return Flow(
        init=init,
        push_forward=push_forward,
        pull_back=pull_back,
        pull_back_stretched=pull_back_stretched,
        path=path,
        potential=lambda params, q: mean_energy(params, "kick", q * config.input_scale),
        kinetic=lambda params, p: mean_energy(params, "drift", p / config.input_scale),
    )


def _apply_move(state: PhaseState, energy: Energy, move: Move, dt: float | jax.Array) -> PhaseState:
    gradient = jax.grad(lambda x: jnp.sum(energy(x)))
    if move.kind == "kick":
        return PhaseState(state.q, state.p - move.duration * dt * gradient(state.q))
    return PhaseState(state.q + move.duration * dt * gradient(state.p), state.p)


def _stretch(state: PhaseState, factor: float) -> PhaseState:
    """Stretches q and shrinks p by a factor, which preserves volume."""
    return PhaseState(state.q * factor, state.p / factor)
