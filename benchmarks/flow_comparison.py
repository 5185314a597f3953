"""Training, evaluation and timing of density models alike, for `benchmarks.nhf_vs_flows`."""

import functools
import math
import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from benchmarks.density_models import MAX_MOMENTA, MODELS, Model
from experiments.comparison.step_timing import median_seconds
from hgn_jax import training
from hgn_jax.models.densities import Density, gaussian_mixture, get_target

BIAS = 0.005  # largest loss of density, in nats, accepted for using fewer momenta
_CHUNK = 500  # points per evaluation of the density
_TIMED_POINTS = 1024
_TIMED_MOMENTA = 65536  # number of points times K in a timed evaluation of a marginal density
_TIMING_SECONDS = 1.0  # approximate time spent on the repetitions of a timed call
_TWO_DIMENSIONAL = ("four_modes", "two_moons")
_SEPARATION = 8.0  # root mean square distance between modes, in their standard deviations, as in four_modes
_GRADIENT_CLIP = 10.0
TIMES = ("joint", "marginal", "sample")


def targets(dim: int) -> list[Density]:
    """Returns the targets of a dimension: two in the plane, a mixture of eight unit Gaussians with mean zero above."""
    if dim == 2:
        return [get_target(name) for name in _TWO_DIMENSIONAL]
    means = np.random.default_rng(0).normal(size=(8, dim))
    means -= means.mean(axis=0)
    distances = np.linalg.norm(means[:, None] - means, axis=-1)[np.triu_indices(len(means), 1)]
    means *= _SEPARATION / math.sqrt(np.mean(distances**2))
    return [gaussian_mixture(means, 1.0, name="eight_gaussians")]


class Regime(NamedTuple):
    """When training ends.

    Attributes:
      name: Name in the table.
      progress: `(steps done, seconds spent) -> fraction of the training that is done`; training ends at 1.
    """

    name: str
    progress: Callable[[int, float], float]


def regimes(steps: int, seconds: float) -> tuple[Regime, Regime]:
    """Returns training for a number of steps, and training for a time."""
    return (
        Regime(f"{steps} steps", lambda done, gone: done / steps),
        Regime(f"{seconds:g} s", lambda done, gone: gone / seconds),
    )


class Trained(NamedTuple):
    """A trained model.

    Attributes:
      params: Parameters.
      steps: Number of optimiser steps.
      seconds: Wall time of the training.
      seconds_per_step: Median wall time per step.
    """

    params: Any
    steps: int
    seconds: float
    seconds_per_step: float


class Settings(NamedTuple):
    """Settings shared by all models.

    Attributes:
      batch_size: Number of examples per step.
      learning_rate: Initial learning rate of Adam.
      points: Number of points that the KL is estimated from.
      seed: Seed of parameters, batches and points.
    """

    batch_size: int = 256
    learning_rate: float = 1e-3
    points: int = 2000
    seed: int = 0


def make_trainer(model: Model, target: Density, settings: Settings) -> Callable[[Regime], Trained]:
    """Compiles a training step and returns a function `Regime -> Trained`.

    The learning rate decays as a cosine of the regime's progress, so one compiled step serves all regimes.
    """
    optimizer = training.make_optimizer(
        training.OptimizerConfig(settings.learning_rate, gradient_clip=_GRADIENT_CLIP), 1
    )
    init_key, data_key = jax.random.split(jax.random.PRNGKey(settings.seed))

    def begin():
        params = model.init(init_key)
        return params, optimizer.init(params)

    def update(params, opt_state, step, progress):
        batch_key, loss_key = jax.random.split(jax.random.fold_in(data_key, step))
        x = target.sample(batch_key, settings.batch_size)
        loss, gradient = jax.value_and_grad(model.loss)(params, loss_key, x)
        change, opt_state = optimizer.update(gradient, opt_state, params)
        rate = 0.5 * (1.0 + jnp.cos(jnp.pi * progress))
        params = optax.apply_updates(params, jax.tree.map(lambda c: rate * c, change))
        return params, opt_state, loss

    begin = jax.jit(begin)
    start = (np.int32(0), np.float32(0.0))
    update = jax.jit(update, donate_argnums=(0, 1)).lower(*jax.eval_shape(begin), *start).compile()

    def train(regime: Regime) -> Trained:
        params, opt_state = jax.block_until_ready(begin())
        ends = [time.perf_counter()]
        while (progress := regime.progress(len(ends) - 1, ends[-1] - ends[0])) < 1:
            params, opt_state, loss = update(params, opt_state, np.int32(len(ends) - 1), np.float32(progress))
            jax.block_until_ready(loss)
            ends.append(time.perf_counter())
        return Trained(params, len(ends) - 1, ends[-1] - ends[0], float(np.median(np.diff(ends))))

    return train


def make_evaluation(model: Model, target: Density, settings: Settings) -> Callable[[Any], dict[str, Any]]:
    """Returns a function `params -> {kl, kl_standard_error, momenta, momenta_bias}`.

    All models of a seed are evaluated on the same points. `momenta` is the smallest number of momenta that suffices,
    and `momenta_bias` the loss of log density in nats by number of momenta.
    """
    data_key, momentum_key = jax.random.split(jax.random.fold_in(jax.random.PRNGKey(settings.seed), 1))
    x = target.sample(data_key, settings.points)
    chunks = jnp.array_split(x, math.ceil(settings.points / _CHUNK))
    truth = np.asarray(target.log_prob(x), np.float64)
    log_prob = jax.jit(model.log_prob)
    log_weights = model.log_weights and jax.jit(functools.partial(model.log_weights, num_samples=MAX_MOMENTA))

    def evaluate(params) -> dict[str, Any]:
        function = log_weights or log_prob
        parts = [function(params, jax.random.fold_in(momentum_key, i), part) for i, part in enumerate(chunks)]
        bias: dict[int, float | None] = {}
        values = np.concatenate([np.asarray(part, np.float64) for part in parts], axis=-1)
        if log_weights:
            bounds = importance_bounds(values)
            values = bounds[MAX_MOMENTA]
            bias = {k: _finite(np.mean(values - bound)) for k, bound in bounds.items()}
        gap = truth - values
        return {
            "kl": _finite(np.mean(gap)),
            "kl_standard_error": _finite(np.std(gap) / math.sqrt(settings.points)),
            "momenta": fewest_momenta(bias),
            "momenta_bias": bias,
        }

    return evaluate


def importance_bounds(log_weights: np.ndarray) -> dict[int, np.ndarray]:
    """Returns the bounds `[n]` on the log density by number k = 1, 2, 4, ..., K of momenta.

    Each is averaged over the K / k groups of k of the log weights `[K, n]`.
    """
    bounds = {1: np.mean(log_weights, axis=0)}
    while len(log_weights) > 1:
        log_weights = np.logaddexp(log_weights[0::2], log_weights[1::2]) - math.log(2)
        bounds[2 * max(bounds)] = np.mean(log_weights, axis=0)
    return bounds


def fewest_momenta(bias: dict[int, float | None]) -> int | None:
    """Returns the smallest K with a bias of at most `BIAS`, else the largest K; None for a model without momenta."""
    return min((k for k, nats in bias.items() if nats is not None and nats <= BIAS), default=max(bias, default=None))


def _finite(value: float) -> float | None:
    """Returns None for infinity and NaN, which JSON does not have."""
    return float(value) if math.isfinite(value) else None


def make_timer(model: Model, target: Density, seed: int) -> Callable[[Any, int | None], dict[str, float]]:
    """Returns a function `(params, momenta) -> seconds per point` of `joint`, `marginal` and `sample`."""
    key, data_key, noise_key = jax.random.split(jax.random.fold_in(jax.random.PRNGKey(seed), 2), 3)
    x = target.sample(data_key, _TIMED_POINTS)
    noise = jax.random.normal(noise_key, x.shape)
    joint, sample = jax.jit(model.joint), jax.jit(model.sample, static_argnums=2)

    @functools.partial(jax.jit, static_argnums=3)
    def marginal(params, key, x, momenta):
        if momenta is None:
            return model.log_prob(params, key, x)
        return jax.nn.logsumexp(model.log_weights(params, key, x, momenta), axis=0) - math.log(momenta)

    def measure(params, momenta) -> dict[str, float]:
        points = x[: max(1, _TIMED_MOMENTA // (momenta or 1))]
        return {
            "joint": _seconds(lambda: joint(params, x, noise)) / len(x),
            "marginal": _seconds(lambda: marginal(params, key, points, momenta)) / len(points),
            "sample": _seconds(lambda: sample(params, key, len(x))) / len(x),
        }

    return measure


def _seconds(run: Callable[[], object]) -> float:
    """Returns the median wall time of 5 to 50 calls, depending on how many fit in `_TIMING_SECONDS`."""
    once = median_seconds(run, 1)
    return median_seconds(run, min(50, max(5, int(_TIMING_SECONDS / once))))


def compare(
    target: Density, names: Sequence[str], kinds: Sequence[Regime], settings: Settings, done: Callable[[str], None]
) -> list[dict[str, Any]]:
    """Trains and measures each model in each regime on one target.

    Args:
      target: Density to learn.
      names: Names of the models, of `MODELS`.
      kinds: Regimes of training.
      settings: Settings shared by the models.
      done: Function called with a label after each model and regime.

    Returns:
      A dictionary of results for each model and regime.
    """
    scale = float(jnp.std(target.sample(jax.random.PRNGKey(0), 100_000)))
    rows = []
    for name in names:
        model = MODELS[name](target.dim, scale)
        train = make_trainer(model, target, settings)
        evaluate = make_evaluation(model, target, settings)
        measure = make_timer(model, target, settings.seed)
        for regime in kinds:
            trained = train(regime)
            score = evaluate(trained.params)
            rows.append(
                {
                    "dim": target.dim,
                    "target": target.name,
                    "model": model.name,
                    "regime": regime.name,
                    "parameters": sum(leaf.size for leaf in jax.tree.leaves(trained.params)),
                    "steps": trained.steps,
                    "training_seconds": trained.seconds,
                    "seconds_per_step": trained.seconds_per_step,
                    **score,
                    "seconds_per_point": measure(trained.params, score["momenta"]),
                }
            )
            done(f"{model.name}, {target.name}, d = {target.dim}")
    return _with_ratios(rows)


def _with_ratios(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Adds the times as multiples of those of the first NHF in the same regime, or None without an NHF."""
    reference: dict[str, dict[str, float]] = {}
    for row in rows:
        if row["momenta"]:
            reference.setdefault(row["regime"], row["seconds_per_point"])

    def ratios(row):
        base = reference.get(row["regime"])
        return {kind: seconds / base[kind] if base else None for kind, seconds in row["seconds_per_point"].items()}

    return [{**row, "ratio_to_nhf": ratios(row)} for row in rows]
