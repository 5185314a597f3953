"""The density models that `benchmarks.nhf_vs_flows` compares, behind one interface."""

import functools
import importlib
import math
from collections.abc import Callable
from types import ModuleType
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from experiments.run import command_line
from hgn_jax.models.nhf import make_nhf
from hgn_jax.models.nhf_config import NHFConfig
from hgn_jax.networks.mlp import mlp
from hgn_jax.physics.phase_space import PhaseState

MAX_MOMENTA = 1024  # number K of momenta of the reference density of an NHF


class Model(NamedTuple):
    """A density on R^d as pure functions; data are `[n, d]`, densities in nats.

    Attributes:
      name: Name in the table.
      init: `key -> params`.
      loss: `(params, key, x) -> scalar`, the mean negative log density or an upper bound of it.
      log_prob: `(params, key, x) -> [n]`, the most exact log density; for an NHF with `MAX_MOMENTA` momenta.
      sample: `(params, key, n) -> x`.
      joint: `(params, x, noise) -> [n]`, the cheapest evaluation; `noise` is standard normal with the shape of x.
      log_weights: `(params, key, x, num_samples) -> [num_samples, n]`, importance weights; `log_prob` is the logarithm
        of the mean of their exponentials. None where `log_prob` is exact.
    """

    name: str
    init: Callable[[jax.Array], Any]
    loss: Callable[[Any, jax.Array, jax.Array], jax.Array]
    log_prob: Callable[[Any, jax.Array, jax.Array], jax.Array]
    sample: Callable[[Any, jax.Array, int], jax.Array]
    joint: Callable[[Any, jax.Array, jax.Array], jax.Array]
    log_weights: Callable[..., jax.Array] | None = None


def nhf_model(config: NHFConfig, name: str, dim: int) -> Model:
    """Wraps a Neural Hamiltonian Flow; its positions are the data."""
    nhf = make_nhf(config)

    def joint(params, x, noise):
        return nhf.log_prior(params, nhf.pull_back(params, PhaseState(x, noise)))

    return Model(
        name,
        lambda key: nhf.init(key, jnp.zeros((1, dim))),
        lambda params, key, x: nhf.loss(params, 1.0, key, {"x": x})[0],
        functools.partial(nhf.log_prob, num_samples=MAX_MOMENTA),
        nhf.sample,
        joint,
        nhf.log_weights,
    )


def tuned_nhf(dim: int) -> NHFConfig:
    """Returns a configuration like the presets of `experiments.nhf`.

    `input_scale` makes the modes of all targets about as wide as those of four_modes.
    """
    return NHFConfig(
        num_links=4,
        links="merged",
        hidden_sizes=(64, 64),
        energy_output_gain=0.1,
        input_scale=3.0 if dim == 2 else 1.5,
        prior="normal",
        prior_scale=1.0,
        learned_prior_scale=True,
        objective_samples=4,
    )


def real_nvp(dim: int, scale: float, layers: int = 8, hidden: int = 128, bound: float = 2.0) -> Model:
    """Affine couplings by distrax that alternate between random halves of the coordinates; |log slope| <= `bound`."""
    distrax = library("distrax")
    order = np.random.default_rng(0).permuted(np.tile(np.arange(dim), (layers // 2, 1)), axis=1)
    # In the plane the two coordinates alternate.
    first_half = order < dim // 2 if dim > 2 else np.tile([True, False], (layers // 2, 1))
    masks = jnp.asarray(np.stack([first_half, ~first_half], axis=1).reshape(layers, dim))
    conditioner = mlp((hidden, hidden, 2 * dim), "leaky_relu", output_gain=0.01)

    def affine(raw):
        shift, raw_slope = jnp.split(raw, 2, axis=-1)
        return distrax.ScalarAffine(shift, log_scale=bound * jnp.tanh(raw_slope / bound))

    def flow(params):
        conditioners = [functools.partial(conditioner.apply, weights) for weights in params]
        couplings = [distrax.MaskedCoupling(*pair, affine) for pair in zip(masks, conditioners, strict=True)]
        base = distrax.MultivariateNormalDiag(jnp.zeros(dim), jnp.ones(dim))
        return distrax.Transformed(base, distrax.Chain(couplings))

    return _exact_model(
        "RealNVP", dim, scale,
        lambda key: tuple(conditioner.init(k, jnp.zeros((1, dim))) for k in jax.random.split(key, layers)),
        lambda params, x: flow(params).log_prob(x),
        lambda params, key, n: flow(params).sample(seed=key, sample_shape=(n,)),
    )  # fmt: skip


def neural_spline_flow(dim: int, scale: float, layers: int = 6, hidden: int = 128, bins: int = 8) -> Model:
    """Rational-quadratic spline couplings by flowjax, within five standard deviations of the mean."""
    flows, distributions, bijections = (library(f"flowjax.{name}") for name in ("flows", "distributions", "bijections"))
    equinox, paramax = library("equinox"), library("paramax")  # flowjax depends on both

    def build(key):
        flow = flows.coupling_flow(
            key,
            base_dist=distributions.StandardNormal((dim,)),
            transformer=bijections.RationalQuadraticSpline(knots=bins - 1, interval=5.0),  # the inner knots
            flow_layers=layers,
            nn_width=hidden,
            nn_depth=2,
        )
        fixed = lambda leaf: isinstance(leaf, paramax.NonTrainable)
        return equinox.partition(flow, equinox.is_inexact_array, is_leaf=fixed)

    _, structure = build(jax.random.PRNGKey(0))  # holds the permutations

    def flow(params):
        return paramax.unwrap(equinox.combine(params, structure))

    return _exact_model(
        "NSF", dim, scale,
        lambda key: build(key)[0],
        lambda params, x: flow(params).log_prob(x),
        lambda params, key, n: flow(params).sample(jax.random.wrap_key_data(key), (n,)),
    )  # fmt: skip


def continuous_flow(dim: int, scale: float, hidden: int | None = None, steps: int = 4) -> Model:
    """A neural ODE by diffrax, solved from the data at t = 1 to t = 0 by `steps` steps of Tsit5 with six stages each.

    The trace of its Jacobian is exact in two dimensions. Above, training uses Hutchinson's estimate with one random
    sign vector per point, and `log_prob` the exact trace.
    """
    diffrax = library("diffrax")
    hidden = hidden or (64 if dim == 2 else 128)
    network = mlp((hidden, hidden, dim), "tanh", gain=1.0, output_gain=0.1)

    def solve(rate, start, stop, state):
        solution = diffrax.diffeqsolve(
            diffrax.ODETerm(rate), diffrax.Tsit5(), start, stop, (stop - start) / steps, state, max_steps=steps + 1,
            adjoint=diffrax.RecursiveCheckpointAdjoint(checkpoints=steps), throw=False,
        )  # fmt: skip
        return jax.tree.map(lambda x: x[0], solution.ys)

    def velocity(params, t, x):
        return network.apply(params, jnp.concatenate([x, jnp.broadcast_to(t, (*x.shape[:-1], 1))], axis=-1))

    def log_prob(params, x, probes):
        """Estimates the trace of the Jacobian J as sum_i e_i J e_i over the probes e `[m, n, d]`."""

        def rate(t, state, args):
            change, push = jax.linearize(lambda x: velocity(params, t, x), state[0])
            return change, jnp.sum(jax.vmap(push)(probes) * probes, axis=(0, -1))

        start, log_det = solve(rate, 1.0, 0.0, (x, jnp.zeros(len(x))))
        return jnp.sum(jax.scipy.stats.norm.logpdf(start), axis=-1) + log_det

    def exact(params, x):
        return log_prob(params, x, jnp.broadcast_to(jnp.eye(dim)[:, None], (dim, *x.shape)))

    def estimate(params, x, noise):
        return log_prob(params, x, jnp.where(noise > 0, 1.0, -1.0)[None])

    def sample(params, key, n):
        rate = lambda t, x, args: velocity(params, t, x)
        return solve(rate, 0.0, 1.0, jax.random.normal(key, (n, dim)))

    init = lambda key: network.init(key, jnp.zeros((1, dim + 1)))
    return _exact_model("CNF", dim, scale, init, exact, sample, None if dim == 2 else estimate)


def _exact_model(name, dim, scale, init, log_prob, sample, estimate=None) -> Model:
    """Turns a model of x / scale into a model of x.

    `estimate(params, x, noise)`, if given, replaces `log_prob` in training.
    """

    def density(params, x):
        return log_prob(params, x / scale) - dim * math.log(scale)

    def joint(params, x, noise):
        return estimate(params, x / scale, noise) - dim * math.log(scale) if estimate else density(params, x)

    return Model(
        name,
        init,
        lambda params, key, x: -jnp.mean(joint(params, x, jax.random.normal(key, x.shape))),
        lambda params, key, x: density(params, x),
        lambda params, key, n: scale * sample(params, key, n),
        joint,
    )


# Functions that make a model for the dimension and the standard deviation of the data.
MODELS: dict[str, Callable[[int, float], Model]] = {
    "nhf": lambda dim, scale: nhf_model(tuned_nhf(dim), "NHF", dim),
    "nhf_paper": lambda dim, scale: nhf_model(NHFConfig(), "NHF, paper", dim),
    "real_nvp": real_nvp,
    "nsf": neural_spline_flow,
    "cnf": continuous_flow,
}
LIBRARIES = {"real_nvp": "distrax", "nsf": "flowjax", "cnf": "diffrax"}


def library(name: str) -> ModuleType:
    """Imports a module of another library; raises UserError if it is not installed."""
    try:
        return importlib.import_module(name)
    except ImportError as error:
        package = name.partition(".")[0]
        raise command_line.UserError(
            f"{package} cannot be imported ({error}); install the other flows with pip install -e '.[benchmarks]'"
        ) from error
