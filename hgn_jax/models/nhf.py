"""The Neural Hamiltonian Flow (Sec. 3.3 and App. A.2 of the paper).

A normalising flow whose links are learned Hamiltonians; see `hgn_jax.models.flow`. It preserves volume, so the density
is carried along unchanged, ln p(s_T) = ln pi(s_0). The data are q_T. The momentum p_T is latent; an approximation
f(p|q) of its posterior gives a bound on ln p(q_T) (Eq. 6).
"""

import math
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import chex
import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from hgn_jax.models.densities import Density, normal, soft_uniform
from hgn_jax.models.flow import make_flow
from hgn_jax.models.momentum_posterior import MomentumPosterior, make_momentum_posterior
from hgn_jax.models.nhf_config import NHFConfig, validate
from hgn_jax.models.objectives import default_slots, example_keys, geco_lagrangian
from hgn_jax.physics.phase_space import PhaseState

Params = dict[str, Any]
Batch = dict[str, Any]  # of arrays

_SAMPLES_PER_CHUNK = 64  # momenta per example; bounds the memory of `log_weights`


class NHF(NamedTuple):
    """A Neural Hamiltonian Flow as pure functions of its parameters.

    Data are `[batch, d]`. States are `PhaseState`s with `q` and `p` of shape `[..., d]`. Log densities are in nats.

    Attributes:
      config: The configuration of the model.
      init: `(key, batch) -> params`; `batch` is `{"x": x}`, or just the points x, `[batch, d]`, which give d.
      push_forward: `(params, state) -> state`, from the prior to the data; |det J| = 1.
      pull_back: `(params, state) -> state`, the inverse of `push_forward`.
      path: `(params, state, substeps=1) -> PhaseState`, the states along `push_forward` with a leading time axis: the
        start, and the state after each of the `substeps` parts of every drift. Kicks take no time.
      potential: `(params, q) -> [batch]`, the mean of the potentials over the flow, weighted by their durations.
      kinetic: `(params, p) -> [batch]`, the same mean of the kinetic energies.
      log_prior: `(params, state) -> [batch]`, ln pi(q) + ln pi(p).
      sample_prior: `(params, key, num_samples) -> PhaseState`.
      log_weights: `(params, key, x, num_samples) -> [num_samples, batch]`, ln pi(s_0) - ln f(p|q) at momenta drawn from
        f(p|q). Their mean is the ELBO; the log of the mean of their exponentials is `log_prob`. ValueError if
        `num_samples` is less than 1.
      elbo: `(params, key, x, num_samples=1) -> [batch]`, Eq. 6, averaged over `num_samples` momenta.
      log_prob: `(params, key, x, num_samples=64) -> [batch]`, the importance-weighted lower bound of ln p(x). Its mean
        rises with `num_samples` and tends to ln p(x).
      sample: `(params, key, num_samples) -> x [num_samples, d]`.
      loss: `(params, multiplier, key, batch, *, progress=1.0, slots=None) -> (loss, aux)`; see `make_nhf`.
    """

    config: NHFConfig
    init: Callable[[jax.Array, Batch | ArrayLike], Params]
    push_forward: Callable[[Params, PhaseState], PhaseState]
    pull_back: Callable[[Params, PhaseState], PhaseState]
    path: Callable[..., PhaseState]
    potential: Callable[[Params, ArrayLike], jax.Array]
    kinetic: Callable[[Params, ArrayLike], jax.Array]
    log_prior: Callable[[Params, PhaseState], jax.Array]
    sample_prior: Callable[[Params, jax.Array, int], PhaseState]
    log_weights: Callable[..., jax.Array]
    elbo: Callable[..., jax.Array]
    log_prob: Callable[..., jax.Array]
    sample: Callable[..., jax.Array]
    loss: Callable[..., tuple[jax.Array, dict[str, jax.Array]]]


def make_nhf(config: NHFConfig) -> NHF:
    """Builds a Neural Hamiltonian Flow.

    Its loss reads `batch["x"]`, points `[batch, d]`; see `hgn_jax.training.model.Model` for the other arguments. In
    nats, averaged over the examples, and with H(f) = E[-ln f(p|q)], it is
      elbo:   -ELBO, or minus the importance-weighted bound for `objective_samples` > 1,
      geco:   -H(f) + multiplier * (tolerance - E[ln pi(s_0)]) until `progress` reaches `geco_fraction`, and then
              -ELBO = -H(f) - E[ln pi(s_0)].
    `aux` holds the scalars `bound`, `log_prior` = E[ln pi(s_0)], `entropy` = H(f), and for `geco` `constraint`.

    Raises:
      ValueError: If no model can be made from `config`.
    """
    validate(config)
    flow = make_flow(config)

    def init(key: jax.Array, batch: Batch | jax.Array) -> Params:
        x = batch["x"] if isinstance(batch, Mapping) else batch
        chex.assert_rank(x, 2)
        dim = x.shape[-1]
        x = jnp.zeros_like(x[:1])
        kick_key, drift_key, posterior_key = jax.random.split(key, 3)
        params = flow.init(kick_key, drift_key, x)
        params["posterior"] = _posterior(config, dim).init(posterior_key, x)
        if config.learned_prior_scale:
            params["log_prior_scale"] = PhaseState(jnp.zeros(dim, x.dtype), jnp.zeros(dim, x.dtype))
        return params

    def log_prior(params: Params, state: PhaseState) -> jax.Array:
        dim = state.q.shape[-1]
        prior, scale = _prior(config, dim), _prior_scale(params, dim)
        return sum(prior.log_prob(x / s) - jnp.sum(jnp.log(s)) for x, s in zip(state, scale, strict=True))

    def sample_prior(params: Params, key: jax.Array, num_samples: int) -> PhaseState:
        dim = params["posterior"]["mean"]["output"]["b"].shape[-1]
        prior, scale = _prior(config, dim), _prior_scale(params, dim)
        keys = jax.random.split(key)
        return PhaseState(*(s * prior.sample(k, num_samples) for s, k in zip(scale, keys, strict=True)))

    def sample(params: Params, key: jax.Array, num_samples: int) -> jax.Array:
        return flow.push_forward(params, sample_prior(params, key, num_samples)).q

    def log_densities(params: Params, keys: jax.Array, x: jax.Array, num_samples: int) -> tuple[jax.Array, jax.Array]:
        """ln pi(s_0) and ln f(p|q) at momenta drawn with the keys of the examples, both `[num_samples, batch]`."""
        chex.assert_rank(x, 2)
        dim = x.shape[-1]
        noise = jax.vmap(lambda key: jax.random.normal(key, (num_samples, dim), x.dtype), out_axes=1)(keys)
        q = config.input_scale * x
        p, log_f = _posterior(config, dim).sample(params["posterior"], q, noise)
        start = flow.pull_back_stretched(params, PhaseState(q, p))
        return log_prior(params, start), log_f - dim * math.log(config.input_scale)

    def log_weights(params: Params, key: jax.Array, x: jax.Array, num_samples: int) -> jax.Array:
        if num_samples < 1:
            raise ValueError(f"num_samples must be 1 or more, got {num_samples}")

        def chunk(key: jax.Array, count: int) -> jax.Array:
            log_pi, log_f = log_densities(params, jax.random.split(key, len(x)), x, count)
            return log_pi - log_f

        num_chunks, remainder = divmod(num_samples, _SAMPLES_PER_CHUNK)
        keys = jax.random.split(key, num_chunks + 1)
        chunks = [chunk(keys[0], remainder)] if remainder else []
        if num_chunks:
            chunks.append(jax.lax.map(lambda k: chunk(k, _SAMPLES_PER_CHUNK), keys[1:]).reshape(-1, len(x)))
        return jnp.concatenate(chunks)

    def elbo(params: Params, key: jax.Array, x: jax.Array, num_samples: int = 1) -> jax.Array:
        return jnp.mean(log_weights(params, key, x, num_samples), axis=0)

    def log_prob(params: Params, key: jax.Array, x: jax.Array, num_samples: int = 64) -> jax.Array:
        return jax.nn.logsumexp(log_weights(params, key, x, num_samples), axis=0) - math.log(num_samples)

    def loss(params: Params, multiplier, key: jax.Array, batch: Batch, *, progress=1.0, slots=None):
        x = batch["x"]
        keys = example_keys(key, default_slots(slots, len(x)))
        log_pi, log_f = log_densities(params, keys, x, config.objective_samples)
        bound = importance_weighted_bound(log_pi, log_f)
        aux = {"bound": bound, "log_prior": jnp.mean(log_pi), "entropy": -jnp.mean(log_f)}
        if config.objective == "elbo":
            return -bound, aux
        constraint = config.tolerance - aux["log_prior"]
        lagrangian = geco_lagrangian(-aux["entropy"], multiplier, constraint)
        return jnp.where(progress < config.geco_fraction, lagrangian, -bound), {**aux, "constraint": constraint}

    return NHF(
        config=config,
        init=init,
        push_forward=flow.push_forward,
        pull_back=flow.pull_back,
        path=flow.path,
        potential=flow.potential,
        kinetic=flow.kinetic,
        log_prior=log_prior,
        sample_prior=sample_prior,
        log_weights=log_weights,
        elbo=elbo,
        log_prob=log_prob,
        sample=sample,
        loss=loss,
    )


def importance_weighted_bound(log_pi: jax.Array, log_f: jax.Array) -> jax.Array:
    """Bound of ln p(q) averaged over examples: the ELBO (Eq. 6) for one sample, and tighter for more.

    Args:
      log_pi: ln pi(s_0), `[num_samples, batch]`.
      log_f: ln f(p|q), `[num_samples, batch]`.
    """
    return jnp.mean(jax.nn.logsumexp(log_pi - log_f, axis=0)) - math.log(len(log_pi))


def _prior(config: NHFConfig, dim: int) -> Density:
    if config.prior == "normal":
        return normal(dim, config.prior_scale)
    return soft_uniform(dim, config.prior_scale, config.prior_sharpness)


def _prior_scale(params: Params, dim: int) -> PhaseState:
    """Factors by which the prior of q and of p is stretched, `[d]` each."""
    return jax.tree.map(jnp.exp, params.get("log_prior_scale", PhaseState(jnp.zeros(dim), jnp.zeros(dim))))


def _posterior(config: NHFConfig, dim: int) -> MomentumPosterior:
    num_layers = config.posterior_layers if config.posterior == "flow" else 0
    return make_momentum_posterior(dim, config.posterior_sizes, num_layers, config.posterior_bends)
