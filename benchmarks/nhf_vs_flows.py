"""Compares the Neural Hamiltonian Flow with other flows: `python -m benchmarks.nhf_vs_flows [--dims=2,16,64]`.

One run trains every model of `MODELS` on every target, once for the same number of optimiser steps and once for the
same wall time, with the same optimiser on the same fresh batches. It prints, for each, KL(target || model) in nats,
seconds per training step, and the time per point of

  joint     what one evaluation of the network costs: for an NHF the density ln pi of a given (q, p) pulled back; for a
            CNF above two dimensions its density with one random probe of the trace; for the others their density;
  marginal  the density of x: for an NHF by importance weighting with the fewest momenta K in 1, 2, 4, ... whose bias
            against K = 1024 is 0.005 nats or less; for a CNF with the exact trace;
  sample    a draw.

An NHF's KL is an upper bound, as its importance-weighted density is a lower one. The times are medians of repeated
calls after compilation, also as multiples of the first NHF's. The peers see the data divided by their standard
deviation; an NHF has `input_scale` for that.
"""

import functools
import importlib
import importlib.metadata
import importlib.util
import json
import math
import os
import pathlib
import platform
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from absl import flags

from benchmarks.density_models import LIBRARIES, MAX_MOMENTA, MODELS, Model, library
from benchmarks.table import Row, missing, version
from experiments.comparison.step_timing import median_seconds
from experiments.run import command_line
from hgn_jax import training
from hgn_jax.models.densities import Density, gaussian_mixture, get_target
from hgn_jax.training.progress import progress_bar

BIAS = 0.005  # nats that fewer momenta may cost
_CHUNK = 500  # points whose densities are computed at a time
_TIMED_POINTS = 1024
_TIMED_MOMENTA = 65536  # points times K in a timed call of a marginal density
_TIMING_SECONDS = 1.0
_TWO_DIMENSIONAL = ("four_modes", "two_moons")
_SEPARATION = 8.0  # root mean square distance of two modes, in their standard deviations, as in four_modes
_GRADIENT_CLIP = 10.0
_TIMES = ("joint", "marginal", "sample")


def targets(dim: int) -> list[Density]:
    """Two targets of the plane; above, eight Gaussians of unit variance about random points with mean zero."""
    if dim == 2:
        return [get_target(name) for name in _TWO_DIMENSIONAL]
    means = np.random.default_rng(0).normal(size=(8, dim))
    means -= means.mean(axis=0)
    distances = np.linalg.norm(means[:, None] - means, axis=-1)[np.triu_indices(len(means), 1)]
    means *= _SEPARATION / math.sqrt(np.mean(distances**2))
    return [gaussian_mixture(means, 1.0, name="eight_gaussians")]


class Regime(NamedTuple):
    """When training ends: `progress(steps done, seconds gone)` reaches 1."""

    name: str
    progress: Callable[[int, float], float]


def regimes(steps: int, seconds: float) -> tuple[Regime, Regime]:
    return (
        Regime(f"{steps} steps", lambda done, gone: done / steps),
        Regime(f"{seconds:g} s", lambda done, gone: gone / seconds),
    )


class Trained(NamedTuple):
    """Parameters, optimiser steps done, wall seconds they took, and the median of a step's."""

    params: Any
    steps: int
    seconds: float
    seconds_per_step: float


class Settings(NamedTuple):
    """What all models share: examples per step, Adam's first rate, points of the KL, and the seed."""

    batch_size: int = 256
    learning_rate: float = 1e-3
    points: int = 2000
    seed: int = 0


def make_trainer(model: Model, target: Density, settings: Settings) -> Callable[[Regime], Trained]:
    """Compiles a training step and returns `Regime -> Trained`.

    Adam's rate falls as a cosine over the regime's progress, so one compiled step serves any number of steps.
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
    """Returns `params -> {kl, kl_standard_error, momenta, momenta_bias}` on points that all models of a seed share.

    `momenta` is the fewest that suffice, and `momenta_bias` what each number of them costs in nats.
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
    """The bounds with 1, 2, 4, ..., K momenta from `[K, n]` weights, each the mean over the K / k groups of k."""
    bounds = {1: np.mean(log_weights, axis=0)}
    while len(log_weights) > 1:
        log_weights = np.logaddexp(log_weights[0::2], log_weights[1::2]) - math.log(2)
        bounds[2 * max(bounds)] = np.mean(log_weights, axis=0)
    return bounds


def fewest_momenta(bias: dict[int, float | None]) -> int | None:
    """The smallest K that costs `BIAS` nats or less; None without any, as for a model without momenta."""
    return min((k for k, nats in bias.items() if nats is not None and nats <= BIAS), default=max(bias, default=None))


def _finite(value: float) -> float | None:
    """JSON has no other numbers."""
    return float(value) if math.isfinite(value) else None


def make_timer(model: Model, target: Density, seed: int) -> Callable[[Any, int | None], dict[str, float]]:
    """Returns `(params, momenta) -> seconds per point` of each of `joint`, `marginal` and `sample`."""
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
    """Median of a call's, with as many repeats as fit `_TIMING_SECONDS`, from 5 to 50."""
    once = median_seconds(run, 1)
    return median_seconds(run, min(50, max(5, int(_TIMING_SECONDS / once))))


def compare(
    target: Density, names: Sequence[str], kinds: Sequence[Regime], settings: Settings, done: Callable[[str], None]
) -> list[dict[str, Any]]:
    """A row of results for each model and regime; calls `done(label)` after each."""
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
    """Adds the times as multiples of those of the first NHF in the same regime; None where there is no NHF."""
    reference: dict[str, dict[str, float]] = {}
    for row in rows:
        if row["momenta"]:
            reference.setdefault(row["regime"], row["seconds_per_point"])

    def ratios(row):
        base = reference.get(row["regime"])
        return {kind: seconds / base[kind] if base else None for kind, seconds in row["seconds_per_point"].items()}

    return [{**row, "ratio_to_nhf": ratios(row)} for row in rows]


def table(rows: Sequence[dict[str, Any]]) -> str:
    """The results of one target as text; times per point in microseconds, in brackets as multiples of the NHF's."""
    head = ["model", "parameters", "trained", "steps", "ms/step", "KL, nats", "K", *_TIMES]
    cells = [head] + [_cells(row) for row in rows]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in cells]
    title = f"{rows[0]['target']}, d = {rows[0]['dim']}; microseconds per point of joint, marginal and sample"
    notes = []
    for row in rows:
        if row["momenta"] == MAX_MOMENTA:
            notes.append(f"No K below {MAX_MOMENTA} is within {BIAS} nats of it: {row['model']}, {row['regime']}.")
    return "\n".join([title, *lines, *notes])


def _cells(row: dict[str, Any]) -> list[str]:
    def duration(kind):
        ratio = row["ratio_to_nhf"][kind]
        return f"{1e6 * row['seconds_per_point'][kind]:.2f}" + (f" (x{ratio:.2g})" if ratio else "")

    kl = "diverged" if row["kl"] is None else f"{row['kl']:.4f} +- {row['kl_standard_error']:.4f}"
    step = f"{1e3 * row['seconds_per_step']:.2f}"
    trained = [row["model"], str(row["parameters"]), row["regime"], str(row["steps"]), step]
    return [*trained, kl, str(row["momenta"] or "-"), *map(duration, _TIMES)]


def rows(quick: bool) -> list[Row]:
    """The rows of `python -m benchmarks`: in short, one target of the plane, the same few steps for each model."""
    settings = Settings(batch_size=16, points=8) if quick else Settings(points=500)
    present = {name: package for name, package in LIBRARIES.items() if importlib.util.find_spec(package)}
    kinds = regimes(2 if quick else 1000, 0.0)[:1]
    nhf, *others = compare(get_target("four_modes"), ["nhf", *present], kinds, settings, lambda label: None)
    found = []
    for kind in _TIMES:
        what = f"NHF, {kind}" + (f" with K = {nhf['momenta']}" if kind == "marginal" else "")
        measured = f"{1e6 * nhf['seconds_per_point'][kind]:.3g} us a point, d = 2"
        found += [missing(what, measured, LIBRARIES[name]) for name in LIBRARIES if name not in present]
        for name, other in zip(present, others, strict=True):
            seconds = other["seconds_per_point"][kind]
            beside = f"{other['model']} ({version(present[name])}): {1e6 * seconds:.3g} us"
            found.append(Row(seconds / nhf["seconds_per_point"][kind], what, measured, beside))
    return found


def _versions() -> dict[str, str | None]:
    def version(package):
        try:
            return importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            return None

    packages = ("jax", "jaxlib", "numpy", "optax", "dm-haiku", "distrax", "flowjax", "diffrax")
    return {"python": platform.python_version(), **{package: version(package) for package in packages}}


def _chosen() -> tuple[list[int], list[str]]:
    """The dimensions and models asked for; raises UserError for those that cannot be had."""
    try:
        dims = [int(text) for text in _DIMS.value]
    except ValueError:
        dims = []
    if not dims or min(dims) < 2 or len(set(dims)) < len(dims):
        raise command_line.UserError(f"--dims must be different integers from 2 up, got {','.join(_DIMS.value)!r}")
    names = list(_MODELS.value)
    unknown = [name for name in names if name not in MODELS]
    if not names or unknown or len(set(names)) < len(names):
        raise command_line.UserError(
            f"--models must be different ones of {', '.join(MODELS)}; got {','.join(_MODELS.value)!r}"
        )
    for name in names:
        if name in LIBRARIES:
            library(LIBRARIES[name])
    return dims, names


def main(argv: Sequence[str]) -> None:
    del argv
    dims, names = _chosen()
    if not math.isfinite(_SECONDS.value) or not math.isfinite(_LEARNING_RATE.value) or _LEARNING_RATE.value <= 0:
        raise command_line.UserError("--seconds and --learning_rate must be positive and finite")
    output = pathlib.Path(_OUTPUT.value) if _OUTPUT.value else None
    if output and (output.is_dir() or not output.parent.is_dir()):
        raise command_line.UserError(f"--output={output} cannot be written: give a file in a folder that exists")

    settings = Settings(_BATCH_SIZE.value, _LEARNING_RATE.value, _POINTS.value, _SEED.value)
    kinds = regimes(_STEPS.value, _SECONDS.value)
    chosen = [target for dim in dims for target in targets(dim)]
    device = f"{jax.local_device_count()} x {jax.devices()[0].device_kind}, {os.cpu_count()} CPU cores"
    print(f"{device}, jax {jax.__version__}, batches of {settings.batch_size}, seed {settings.seed}", flush=True)
    start = time.perf_counter()
    rows = []
    with progress_bar(len(chosen) * len(names) * len(kinds), "nhf_vs_flows", "run") as bar:

        def done(label):
            bar.set_postfix_str(label, refresh=False)
            bar.update()

        for target in chosen:
            rows += compare(target, names, kinds, settings, done)
            bar.write("\n" + table(rows[-len(names) * len(kinds) :]) + "\n", file=sys.stdout)
            if output:  # after each target, so that an interrupted run leaves what it has
                header = {
                    "versions": _versions(),
                    "device": device,
                    "settings": {
                        **settings._asdict(), "dims": dims, "models": names, "steps": _STEPS.value,
                        "seconds": _SECONDS.value, "max_momenta": MAX_MOMENTA, "bias": BIAS,
                    },
                    "wall_seconds": time.perf_counter() - start,
                }  # fmt: skip
                output.write_text(json.dumps({**header, "rows": rows}, indent=1) + "\n")
    print(f"{time.perf_counter() - start:.0f} s in all")


if __name__ == "__main__":
    _DIMS = flags.DEFINE_list("dims", ["2", "16", "64"], "Dimensions of the data.")
    _MODELS = flags.DEFINE_list("models", list(MODELS), f"Which to compare: {', '.join(MODELS)}.")
    _STEPS = flags.DEFINE_integer("steps", 2000, "Optimiser steps of the first regime.", lower_bound=1)
    _SECONDS = flags.DEFINE_float(
        "seconds", 60.0, "Training time of the second, without compilation.", lower_bound=1e-3
    )
    _BATCH_SIZE = flags.DEFINE_integer("batch_size", 256, "Fresh examples a step.", lower_bound=1)
    _LEARNING_RATE = flags.DEFINE_float("learning_rate", 1e-3, "Adam's at the start; it falls as a cosine.")
    _POINTS = flags.DEFINE_integer("points", 2000, "Fresh points that the KL is an average over.", lower_bound=2)
    _SEED = flags.DEFINE_integer("seed", 0, "Of the parameters, the batches and the points scored.", lower_bound=0)
    _OUTPUT = flags.DEFINE_string("output", None, "File for the results as JSON.")
    command_line.run(main)
