"""Measures a Neural Hamiltonian Flow: likelihood, exactness of the map, minima of the potential."""

import time
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from experiments.nhf import presets as nhf_presets
from experiments.nhf import report as nhf_report
from experiments.nhf.data import Points, load_points
from experiments.run import experiment
from experiments.run.command_line import user_errors
from experiments.run.experiment import Experiment
from experiments.run.run_directory import RunDirectory, read_config, require_checkpoint, write_json
from hgn_jax.metrics import flow as flow_metrics
from hgn_jax.models.nhf import NHF, make_nhf
from hgn_jax.physics.phase_space import PhaseState
from hgn_jax.training.progress import progress_bar

_POINTS_AT_A_TIME = 100
_NUM_REFERENCE_POINTS = 20_000  # that the Gaussian of the reference row is fitted to
_NUM_MAPPED = 256  # points that the map is tried at
_NEAR = 0.6  # distance from a mode within which a minimum of the potential counts


def load(run: RunDirectory, config: nhf_presets.Config, points: Points) -> Experiment:
    """Makes the model and restores the newest checkpoint, if there is one."""
    nhf = make_nhf(config)
    return experiment.load(run, config, nhf, points, lambda key, batch: nhf.init(key, batch["x"]), points.batch_at(0))


def load_run(run: RunDirectory) -> Experiment:
    """Reads a run back from its directory; raises UserError if it, a checkpoint of it or its table is not there."""
    config = read_config(run, nhf_presets.Config)
    require_checkpoint(run)
    with user_errors():
        points = load_points(config)
    return load(run, config, points)


def evaluate(flow: Experiment) -> dict[str, Any]:
    """Measures a trained flow, writes `metrics.json` and the report, and returns the numbers."""
    start = time.monotonic()
    points, params = flow.data, flow.state.params
    results = {
        "test": likelihood_metrics(flow),
        "map": map_metrics(flow.model, params, flow.config.evaluation.seed),
    }
    if points.density is not None and len(points.density.modes):
        results["minima"] = minima_metrics(flow.model, params, points.density.modes)
    results["run"] = experiment.describe(flow, time.monotonic() - start)
    write_json(flow.run.metrics, results)
    nhf_report.write(flow, results)
    return results


def likelihood_metrics(flow: Experiment) -> dict[str, Any]:
    """The bounds on the log-likelihood of the test points for every K, and what they are compared to."""
    points, evaluation = flow.data, flow.config.evaluation
    weights = log_weights(flow.model, flow.state.params, points.test, evaluation)
    counts = [2**i for i in range(evaluation.num_samples.bit_length())]
    bounds = {count: flow_metrics.importance_weighted(weights, count) for count in counts}
    result = {
        "num_points": len(points.test),
        "elbo": flow_metrics.mean_and_error(bounds[1]),
        "log_prob": {str(count): flow_metrics.mean_and_error(bound) for count, bound in bounds.items()},
    }
    if points.density is None:
        gaussian = flow_metrics.gaussian_log_prob(points.table.train, points.test)
        return result | {"gaussian_log_prob": flow_metrics.mean_and_error(gaussian)}
    exact = np.asarray(points.density.log_prob(points.test), np.float64)
    many = points.density.sample(jax.random.PRNGKey(evaluation.seed), _NUM_REFERENCE_POINTS)
    gaussian = flow_metrics.gaussian_log_prob(np.asarray(many), points.test)
    return result | {
        "exact_log_prob": flow_metrics.mean_and_error(exact),
        "kl": flow_metrics.mean_and_error(exact - bounds[evaluation.num_samples]),
        "gaussian_kl": flow_metrics.mean_and_error(exact - gaussian),
    }


def log_weights(nhf: NHF, params, x: np.ndarray, evaluation: nhf_presets.EvaluationConfig) -> np.ndarray:
    """`nhf.log_weights` at the points `x`, a few at a time, `[num_samples, points]`."""
    weigh = jax.jit(nhf.log_weights, static_argnums=3)
    parts = []
    with progress_bar(len(x), "evaluating", "point") as bar:
        for start in range(0, len(x), _POINTS_AT_A_TIME):
            part = x[start : start + _POINTS_AT_A_TIME]
            padded = np.pad(part, ((0, _POINTS_AT_A_TIME - len(part)), (0, 0)), mode="edge")  # compiled once
            key = jax.random.fold_in(jax.random.PRNGKey(evaluation.seed), start)
            parts.append(np.asarray(weigh(params, key, padded, evaluation.num_samples))[:, : len(part)])
            bar.update(len(part))
    return np.concatenate(parts, axis=1)


def map_metrics(nhf: NHF, params, seed: int) -> dict[str, Any]:
    """How exactly the trained map is inverted and keeps volume, in the precision it was trained in and in float64.

    A steep map has a Jacobian so ill-conditioned that its determinant says nothing in float32; look at float64's.
    """
    start = nhf.sample_prior(params, jax.random.PRNGKey(seed), _NUM_MAPPED)

    def measure(params, state):
        return flow_metrics.map_errors(
            jax.jit(lambda s: nhf.push_forward(params, s)), jax.jit(lambda s: nhf.pull_back(params, s)), state
        )

    result = {"float32": measure(params, start)}
    with jax.enable_x64(True):
        double = lambda tree: jax.tree.map(lambda x: jnp.asarray(x, jnp.float64), tree)
        result["float64"] = measure(double(params), PhaseState(*double(tuple(start))))
    return result


def minima_metrics(nhf: NHF, params, modes: np.ndarray) -> dict[str, Any]:
    """Where the potential has minima, and the fraction of the modes of the target that have one near."""
    axis = np.linspace(-1.0, 1.0, 401) * (np.abs(modes).max() + 2.0)
    axes = (axis,) * modes.shape[1]
    grid = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).astype(np.float32)
    values = np.asarray(jax.jit(nhf.potential)(params, grid))
    minima = flow_metrics.minima_on_grid(values, axes)
    return {
        "positions": minima.round(3).tolist(),
        "near": _NEAR,
        "fraction_of_modes": flow_metrics.fraction_near(modes, minima, _NEAR),
    }


def print_summary(results: dict[str, Any]) -> None:
    """Prints the final numbers."""
    test = results["test"]

    def row(label, value):
        print(f"{label:<46}{value['mean']:>10.4f} ± {value['standard_error']:.4f}")

    print(f"\nnats per point, {test['num_points']} test points")
    row("ELBO", test["elbo"])
    row(
        f"log-likelihood, importance-weighted, K = {max(map(int, test['log_prob']))}",
        list(test["log_prob"].values())[-1],
    )
    for key, label in (
        ("exact_log_prob", "log-density of the target itself"),
        ("kl", "KL(target || model), from the largest K"),
        ("gaussian_kl", "KL(target || Gaussian of its moments)"),
        ("gaussian_log_prob", "log-likelihood of a Gaussian fit"),
    ):
        if key in test:
            row(label, test[key])
    inverse = ", ".join(f"{errors['inverse']:.1e} in {precision}" for precision, errors in results["map"].items())
    print(f"inverse error {inverse}; | |det J| - 1 | {results['map']['float64']['volume']:.1e} in float64")
    if "minima" in results:
        near = results["minima"]
        print(f"modes with a minimum of V within {near['near']}: {near['fraction_of_modes']:.0%}")
