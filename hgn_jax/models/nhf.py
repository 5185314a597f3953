"""The Neural Hamiltonian Flow (Sec. 3.3 and App. A.2 of the paper).

A normalising flow whose links are learned Hamiltonians H_i(q, p) = T_i(p) + V_i(q), each integrated by a composition of
kicks, p - t dV/dq, and drifts, q + t dT/dp. These have an exact inverse, the same with -t, and preserve volume for any
t, so the density is carried along unchanged, ln p(s_T) = ln pi(s_0). The data are q_T; p_T is latent, and the
approximation f(p|q) of its posterior gives a bound on ln p(q_T) (Eq. 6).
"""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import chex
import jax
import jax.numpy as jnp

from hgn_jax.models.densities import Density, normal, soft_uniform
from hgn_jax.models.momentum_posterior import make_momentum_posterior
from hgn_jax.models.nhf_config import NHFConfig, validate
from hgn_jax.networks.mlp import mlp
from hgn_jax.physics.integrators import INTEGRATORS
from hgn_jax.physics.phase_space import PhaseState

Params = dict[str, Any]
Batch = dict[str, jax.Array]

_SAMPLES_AT_A_TIME = 64  # momenta per example; bounds the memory of `log_weights`


class Move(NamedTuple):
    """An exact flow that a link is composed of: a kick by the `index`-th potential, or a drift by the kinetic energy.

    Attributes:
      kind: `kick` or `drift`.
      index: which of the energies of that kind.
      duration: in units of dt.
    """

    kind: str
    index: int
    duration: float


class NHF(NamedTuple):
    """A Neural Hamiltonian Flow as pure functions of its parameters.

    Data are `[batch, d]`; states are `PhaseState`s with `q` and `p` of shape `[..., d]`; log-densities are in nats.

    Attributes:
      config: what it was made from.
      init: `(key, batch) -> params`, with points x `[batch, d]`, or a batch `{"x": x}`, that give the dimension.
      push_forward: `(params, state) -> state`, from the prior to the data; |det J| = 1.
      pull_back: `(params, state) -> state`, its inverse.
      path: `(params, state, substeps=1) -> PhaseState`, the way of `push_forward` with a leading time axis, the start
        included: the state after every `substeps`-th part of each drift. A kick takes no time.
      potential: `(params, q) -> [batch]`, the mean of the potentials over the flow, weighted by their durations.
      kinetic: `(params, p) -> [batch]`, the same of the kinetic energies.
      log_prior: `(params, state) -> [batch]`, ln pi(q) + ln pi(p).
      sample_prior: `(params, key, num_samples) -> PhaseState`.
      log_weights: `(params, key, x, num_samples) -> [num_samples, batch]`, ln pi(s_0) - ln f(p|q) at momenta drawn from
        f(p|q): their mean is the ELBO, the log of the mean of their exponentials `log_prob`.
      elbo: `(params, key, x, num_samples=1) -> [batch]`, Eq. 6, averaged over `num_samples` momenta.
      log_prob: `(params, key, x, num_samples=64) -> [batch]`, the importance-weighted lower bound of ln p(x); its mean
        rises with `num_samples` and tends to ln p(x).
      sample: `(params, key, num_samples) -> x [num_samples, d]`.
      loss: `(params, multiplier, key, batch, *, progress=1.0, slots=None) -> (loss, aux)`; see `make_nhf`.
    """

    config: NHFConfig
    init: Callable[..., Params]
    push_forward: Callable[[Params, PhaseState], PhaseState]
    pull_back: Callable[[Params, PhaseState], PhaseState]
    path: Callable[..., PhaseState]
    potential: Callable[[Params, jax.Array], jax.Array]
    kinetic: Callable[[Params, jax.Array], jax.Array]
    log_prior: Callable[[Params, PhaseState], jax.Array]
    sample_prior: Callable[..., PhaseState]
    log_weights: Callable[..., jax.Array]
    elbo: Callable[..., jax.Array]
    log_prob: Callable[..., jax.Array]
    sample: Callable[..., jax.Array]
    loss: Callable[..., tuple[jax.Array, dict[str, jax.Array]]]


def flow_moves(config: NHFConfig) -> tuple[Move, ...]:
    """The kicks and drifts of the whole flow in order.

    Where kicks by the same potential meet, they are one: L leapfrog steps of a Hamiltonian take L + 1 of its forces.
    """
    method = INTEGRATORS[config.integrator]
    moves: list[Move] = []

    def add(kind, index, duration):
        if duration == 0.0:
            return
        if moves and (moves[-1].kind, moves[-1].index) == (kind, index):
            duration += moves.pop().duration
        moves.append(Move(kind, index, duration))

    for link in range(config.num_links):
        own = 0 if config.links == "shared" else link
        for _ in range(config.steps_per_link):
            for i, kick in enumerate(method.kicks):
                last = i == len(method.drifts)
                add("kick", own + 1 if last and config.links == "merged" else own, kick)
                if not last:
                    add("drift", own, method.drifts[i])
    return tuple(moves)


def make_nhf(config: NHFConfig) -> NHF:
    """Builds a Neural Hamiltonian Flow.

    `loss(params, multiplier, key, batch, *, progress=1.0, slots=None)` takes `batch["x"]`, `[batch, d]`; `progress` and
    `slots` are those of HGN's loss. It is, in nats and averaged over the examples,
      elbo:   -ELBO, or minus the importance-weighted bound for `objective_samples` > 1,
      geco:   -H(f) + multiplier * (tolerance - E[ln pi(s_0)]) until `geco_fraction` of the training is done, where
              H(f) = E[-ln f(p|q)]; then -ELBO = -H(f) - E[ln pi(s_0)].
    `aux` holds the scalars `bound`, `log_prior` = E[ln pi(s_0)], `entropy` = H(f), and for `geco` `constraint`.

    Raises:
      ValueError: if no model can be made from `config`.
    """
    validate(config)
    moves = flow_moves(config)
    # Biases as wide as the data are inside the flow put the bends of the energies where the data are.
    energy = mlp(
        (*config.hidden_sizes, 1), config.activation, config.energy_gain, config.energy_output_gain, config.input_scale
    )
    posterior_layers = config.posterior_layers if config.posterior == "flow" else 0

    def prior(dim: int) -> Density:
        if config.prior == "normal":
            return normal(dim, config.prior_scale)
        return soft_uniform(dim, config.prior_scale, config.prior_sharpness)

    def posterior(dim: int):
        return make_momentum_posterior(dim, config.posterior_sizes, posterior_layers, config.posterior_bends)

    def init(key: jax.Array, batch: Batch | jax.Array) -> Params:
        x = batch["x"] if isinstance(batch, Mapping) else batch
        chex.assert_rank(x, 2)
        dim = x.shape[-1]
        x = jnp.zeros_like(x[:1])
        keys = dict(zip(("kick", "drift", "posterior"), jax.random.split(key, 3), strict=True))

        def energies(kind):
            count = 1 + max(move.index for move in moves if move.kind == kind)
            return tuple(energy.init(k, x) for k in jax.random.split(keys[kind], count))

        params = {"kick": energies("kick"), "posterior": posterior(dim).init(keys["posterior"], x)}
        if config.kinetic == "mlp":
            params["drift"] = energies("drift")
        if config.learned_dt:
            params["log_dt"] = jnp.log(jnp.asarray(config.dt, x.dtype))
        if config.learned_prior_scale:
            params["log_prior_scale"] = PhaseState(jnp.zeros(dim, x.dtype), jnp.zeros(dim, x.dtype))
        return params

    def time_step(params):
        return jnp.exp(params["log_dt"]) if config.learned_dt else config.dt

    def energy_of(params, move: Move):
        if move.kind == "drift" and config.kinetic == "quadratic":
            return lambda p: 0.5 * jnp.sum(p**2, axis=-1)
        return lambda x: energy.apply(params[move.kind][move.index], x)[..., 0]

    def apply_moves(params, state: PhaseState, moves: Sequence[Move], direction: float) -> PhaseState:
        dt = direction * time_step(params)
        for move in moves:
            state = _move(state, energy_of(params, move), move, dt)
        return state

    def push_forward(params: Params, state: PhaseState) -> PhaseState:
        return _squeeze(apply_moves(params, state, moves, 1.0), 1.0 / config.input_scale)

    def pull_back(params: Params, state: PhaseState) -> PhaseState:
        return apply_moves(params, _squeeze(state, config.input_scale), moves[::-1], -1.0)

    def path(params: Params, state: PhaseState, substeps: int = 1) -> PhaseState:
        states = [state]
        for move in moves:
            parts = substeps if move.kind == "drift" else 1
            part = move._replace(duration=move.duration / parts)
            for _ in range(parts):
                state = apply_moves(params, state, [part], 1.0)
                states += [state] if move.kind == "drift" else []
        states[-1] = state  # the closing kick included
        return _squeeze(jax.tree.map(lambda *x: jnp.stack(x), *states), 1.0 / config.input_scale)

    def mean_energy(params, kind, x):
        total = sum(move.duration for move in moves if move.kind == kind)
        return sum(move.duration / total * energy_of(params, move)(x) for move in moves if move.kind == kind)

    def potential(params: Params, q: jax.Array) -> jax.Array:
        return mean_energy(params, "kick", q * config.input_scale)

    def kinetic(params: Params, p: jax.Array) -> jax.Array:
        return mean_energy(params, "drift", p / config.input_scale)

    def prior_scale(params, dim):
        return jax.tree.map(jnp.exp, params.get("log_prior_scale", PhaseState(jnp.zeros(dim), jnp.zeros(dim))))

    def log_prior(params: Params, state: PhaseState) -> jax.Array:
        dim = state.q.shape[-1]
        scale = prior_scale(params, dim)
        return sum(prior(dim).log_prob(x / s) - jnp.sum(jnp.log(s)) for x, s in zip(state, scale, strict=True))

    def sample_prior(params: Params, key: jax.Array, num_samples: int) -> PhaseState:
        dim = _dimension(params)
        scale = prior_scale(params, dim)
        keys = jax.random.split(key)
        return PhaseState(*(s * prior(dim).sample(k, num_samples) for s, k in zip(scale, keys, strict=True)))

    def weigh(params: Params, keys: jax.Array, x: jax.Array, num_samples: int) -> tuple[jax.Array, jax.Array]:
        """ln pi(s_0) and ln f(p|q) at `num_samples` momenta of each example, drawn by its own key."""
        chex.assert_rank(x, 2)
        dim = x.shape[-1]
        noise = jax.vmap(lambda key: jax.random.normal(key, (num_samples, dim), x.dtype), out_axes=1)(keys)
        q = config.input_scale * x
        p, log_f = posterior(dim).sample(params["posterior"], q, noise)
        start = apply_moves(
            params, PhaseState(q, p), moves[::-1], -1.0
        )  # the first kick serves all momenta of an example
        return log_prior(params, start), log_f - dim * math.log(config.input_scale)

    def log_weights(params: Params, key: jax.Array, x: jax.Array, num_samples: int) -> jax.Array:
        if num_samples < 1:
            raise ValueError(f"num_samples must be 1 or more, got {num_samples}")

        def part(key, count):
            log_pi, log_f = weigh(params, jax.random.split(key, len(x)), x, count)
            return log_pi - log_f

        whole, rest = divmod(num_samples, _SAMPLES_AT_A_TIME)
        keys = jax.random.split(key, whole + 1)
        parts = [part(keys[0], rest)] if rest else []
        if whole:
            parts.append(jax.lax.map(lambda k: part(k, _SAMPLES_AT_A_TIME), keys[1:]).reshape(-1, len(x)))
        return jnp.concatenate(parts)

    def elbo(params: Params, key: jax.Array, x: jax.Array, num_samples: int = 1) -> jax.Array:
        return jnp.mean(log_weights(params, key, x, num_samples), axis=0)

    def log_prob(params: Params, key: jax.Array, x: jax.Array, num_samples: int = 64) -> jax.Array:
        return jax.nn.logsumexp(log_weights(params, key, x, num_samples), axis=0) - math.log(num_samples)

    def sample(params: Params, key: jax.Array, num_samples: int) -> jax.Array:
        return push_forward(params, sample_prior(params, key, num_samples)).q

    def loss(params: Params, multiplier: jax.Array, key: jax.Array, batch: Batch, *, progress=1.0, slots=None):
        x = batch["x"]
        slots = jnp.arange(len(x)) if slots is None else slots
        keys = jax.vmap(lambda slot: jax.random.fold_in(key, slot))(slots)
        log_pi, log_f = weigh(params, keys, x, config.objective_samples)
        bound = jnp.mean(jax.nn.logsumexp(log_pi - log_f, axis=0)) - math.log(config.objective_samples)
        aux = {"bound": bound, "log_prior": jnp.mean(log_pi), "entropy": -jnp.mean(log_f)}
        if config.objective == "elbo":
            return -bound, aux
        constraint = config.tolerance - aux["log_prior"]
        warming_up = progress < config.geco_fraction
        lagrangian = multiplier * constraint - aux["entropy"]
        return jnp.where(warming_up, lagrangian, -bound), {**aux, "constraint": constraint}

    return NHF(
        config, init, push_forward, pull_back, path, potential, kinetic, log_prior, sample_prior, log_weights, elbo,
        log_prob, sample, loss,
    )  # fmt: skip


def _move(state: PhaseState, energy, move: Move, dt) -> PhaseState:
    if move.kind == "kick":
        return PhaseState(state.q, state.p - move.duration * dt * _gradient(energy, state.q))
    return PhaseState(state.q + move.duration * dt * _gradient(energy, state.p), state.p)


def _squeeze(state: PhaseState, factor: float) -> PhaseState:
    """Stretches q and shrinks p by a factor: symplectic, so no volume is lost."""
    return PhaseState(state.q * factor, state.p / factor)


def _gradient(energy, x):
    return jax.grad(lambda x: jnp.sum(energy(x)))(x)


def _dimension(params: Params) -> int:
    return params["posterior"]["mean"]["output"]["b"].shape[-1]
