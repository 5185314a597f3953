"""Measures a Neural Hamiltonian Flow: likelihood, exactness of the map, minima of the potential."""

import time
from collections.abc import Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from experiments.nhf.results import Estimate, FlowResults, Likelihood, MapErrors, Minima
from experiments.run.trainer import Run, facts
from experiments.tasks import Evaluation
from hgn_jax.metrics import flow as flow_metrics
from hgn_jax.models.nhf import NHF
from hgn_jax.physics.phase_space import PhaseState
from hgn_jax.training.progress import progress_bar

_POINTS_PER_CALL = 100
_NUM_REFERENCE_POINTS = 20_000  # that the Gaussian of the reference row is fitted to
_NUM_MAPPED = 256  # points at which the map is tried
_NEAR = 0.6  # distance from a mode within which a minimum of the potential counts


def evaluate(run: Run) -> Evaluation:
    """Measures a trained flow."""
    start = time.monotonic()
    points, params = run.data, run.state.params
    has_modes = points.density is not None and len(points.density.modes)
    results = FlowResults(
        test=measure_likelihood(run),
        map=measure_map(run.model, params, run.config.evaluation.seed),
        minima=find_minima(run.model, params, points.density.modes) if has_modes else None,
        run=facts(run, start),
    )
    return Evaluation(results)


def measure_likelihood(run: Run) -> Likelihood:
    """Bounds the log-likelihood of the test points for every K, beside what it is compared to."""
    points, evaluation = run.data, run.config.evaluation
    key = jax.random.PRNGKey(evaluation.seed)
    log_scale = points.table.columns.log_scale if points.table else 0.0
    counts = [2**i for i in range(evaluation.num_samples.bit_length())]
    parts = [
        [flow_metrics.importance_weighted(weights, count) for count in counts]
        for weights in log_weights(run.model, run.state.params, points.test, evaluation.num_samples, key)
    ]
    bounds = dict(zip(counts, np.concatenate(parts, axis=1), strict=True))

    def estimate(values: np.ndarray) -> Estimate:
        return Estimate(**flow_metrics.mean_and_error(values - log_scale))

    likelihood = Likelihood(
        num_points=len(points.test),
        elbo=estimate(bounds[1]),
        log_prob={str(count): estimate(bound) for count, bound in bounds.items()},
    )
    if points.density is None:
        likelihood.log_scale = log_scale
        likelihood.gaussian_log_prob = estimate(flow_metrics.gaussian_log_prob(points.table.train, points.test))
        return likelihood
    exact = np.asarray(points.density.log_prob(points.test), np.float64)
    reference = points.density.sample(jax.random.PRNGKey(evaluation.seed), _NUM_REFERENCE_POINTS)
    gaussian = flow_metrics.gaussian_log_prob(np.asarray(reference), points.test)
    likelihood.exact_log_prob = estimate(exact)
    likelihood.kl = estimate(exact - bounds[evaluation.num_samples])
    likelihood.gaussian_kl = estimate(exact - gaussian)
    return likelihood


def log_weights(nhf: NHF, params: Any, x: np.ndarray, num_samples: int, key: jax.Array) -> Iterator[np.ndarray]:
    """Yields `nhf.log_weights` at a few of the points `x` at a time, `[num_samples, points]`."""
    weigh = jax.jit(nhf.log_weights, static_argnums=3)
    with progress_bar(len(x), "evaluating", "point") as bar:
        for start in range(0, len(x), _POINTS_PER_CALL):
            part = x[start : start + _POINTS_PER_CALL]
            padded = np.pad(part, ((0, _POINTS_PER_CALL - len(part)), (0, 0)), mode="edge")  # compiled once
            part_key = jax.random.fold_in(key, start)
            yield np.asarray(weigh(params, part_key, padded, num_samples))[:, : len(part)]
            bar.update(len(part))


def measure_map(nhf: NHF, params: Any, seed: int) -> dict[str, MapErrors]:
    """Measures how exactly the map is inverted and keeps volume, in float32 and in float64.

    The Jacobian of a steep map is so ill-conditioned that its determinant says nothing in float32.
    """
    start = nhf.sample_prior(params, jax.random.PRNGKey(seed), _NUM_MAPPED)

    def measure(params, state):
        push, pull = (jax.jit(lambda s, move=move: move(params, s)) for move in (nhf.push_forward, nhf.pull_back))
        return MapErrors(**flow_metrics.map_errors(push, pull, state))

    errors = {"float32": measure(params, start)}
    with jax.enable_x64(True):
        double = lambda tree: jax.tree.map(lambda x: jnp.asarray(x, jnp.float64), tree)
        errors["float64"] = measure(double(params), PhaseState(*double(tuple(start))))
    return errors


def find_minima(nhf: NHF, params: Any, modes: np.ndarray) -> Minima:
    """Finds the minima of the potential, and the fraction of the target's modes that have one near."""
    axis = np.linspace(-1.0, 1.0, 401) * (np.abs(modes).max() + 2.0)
    axes = (axis,) * modes.shape[1]
    grid = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).astype(np.float32)
    values = np.asarray(jax.jit(nhf.potential)(params, grid))
    minima = flow_metrics.minima_on_grid(values, axes)
    return Minima(
        positions=minima.round(3).tolist(),
        near=_NEAR,
        fraction_of_modes=flow_metrics.fraction_near(modes, minima, _NEAR),
    )
