"""Compares the Neural Hamiltonian Flow with other flows: `python -m benchmarks.nhf_vs_flows [--dims=2,16,64]`.

Trains every model of `MODELS` on every target, once for the same number of optimiser steps and once for the same wall
time, with the same optimiser and the same fresh batches. Prints for each KL(target || model) in nats, seconds per
training step, and the time per point of

  joint     one evaluation of the network: for an NHF the log density of a given (q, p); for a continuous normalising
            flow (CNF) above two dimensions its density with one random probe of the trace; for others their density;
  marginal  the density of x: for an NHF by importance weighting with the smallest number K = 1, 2, 4, ... of momenta
            whose bias against K = 1024 is 0.005 nats or less; for a CNF with the exact trace;
  sample    one sample.

The KL of an NHF is an upper bound, because its importance-weighted density is a lower bound. Times are medians of
repeated calls after compilation, also given as multiples of those of the first NHF. The other models see the data
divided by their standard deviation; an NHF has `input_scale` for that purpose.
"""

import importlib.metadata
import importlib.util
import json
import math
import platform
import sys
import time
from collections.abc import Sequence
from typing import Any

import jax
from absl import flags

from benchmarks import program
from benchmarks.density_models import LIBRARIES, MAX_MOMENTA, MODELS, library
from benchmarks.flow_comparison import BIAS, TIMES, Settings, compare, regimes, targets
from benchmarks.table import Row, align, device, missing, version
from experiments.run import command_line
from hgn_jax.config_checks import MAX_SEED
from hgn_jax.models.densities import get_target
from hgn_jax.training.progress import progress_bar


def table(rows: Sequence[dict[str, Any]]) -> str:
    """Formats the results of one target: times per point in microseconds, and in brackets as multiples of the NHF's."""
    head = ["model", "parameters", "trained", "steps", "ms/step", "KL, nats", "K", *TIMES]
    title = f"{rows[0]['target']}, d = {rows[0]['dim']}; microseconds per point of joint, marginal and sample"
    notes = []
    for row in rows:
        if row["momenta"] == MAX_MOMENTA:
            notes.append(f"{row['model']}, {row['regime']}: no K below {MAX_MOMENTA} is within {BIAS} nats of that K.")
    return "\n".join([title, *align([head, *map(_cells, rows)]), *notes])


def _cells(row: dict[str, Any]) -> list[str]:
    def duration(kind):
        ratio = row["ratio_to_nhf"][kind]
        return f"{1e6 * row['seconds_per_point'][kind]:.2f}" + (f" (x{ratio:.2g})" if ratio else "")

    kl = "diverged" if row["kl"] is None else f"{row['kl']:.4f} +- {row['kl_standard_error']:.4f}"
    step = f"{1e3 * row['seconds_per_step']:.2f}"
    trained = [row["model"], str(row["parameters"]), row["regime"], str(row["steps"]), step]
    return [*trained, kl, str(row["momenta"] or "-"), *map(duration, TIMES)]


def rows(quick: bool) -> list[Row]:
    """Returns the rows of `python -m benchmarks`: one target in the plane and the same few steps for each model."""
    settings = Settings(batch_size=16, points=8) if quick else Settings(points=500)
    present = {name: package for name, package in LIBRARIES.items() if importlib.util.find_spec(package)}
    kinds = regimes(2 if quick else 1000, 0.0)[:1]
    nhf, *others = compare(get_target("four_modes"), ["nhf", *present], kinds, settings, lambda label: None)
    results = []
    for kind in TIMES:
        subject = f"NHF, {kind}" + (f" with K = {nhf['momenta']}" if kind == "marginal" else "")
        measured = f"{1e6 * nhf['seconds_per_point'][kind]:.3g} us per point, d = 2"
        results += [missing(subject, measured, LIBRARIES[name]) for name in LIBRARIES if name not in present]
        for name, other in zip(present, others, strict=True):
            seconds = other["seconds_per_point"][kind]
            beside = f"{other['model']} ({version(present[name])}): {1e6 * seconds:.3g} us"
            results.append(Row(seconds / nhf["seconds_per_point"][kind], subject, measured, beside))
    return results


def _versions() -> dict[str, str | None]:
    def version(package):
        try:
            return importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            return None

    packages = ("jax", "jaxlib", "numpy", "optax", "dm-haiku", "distrax", "flowjax", "diffrax")
    return {"python": platform.python_version(), **{package: version(package) for package in packages}}


def _chosen() -> tuple[list[int], list[str]]:
    """Returns the dimensions and the models of the flags; raises UserError for values that are not possible."""
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
    output = program.output_file(_OUTPUT.value)

    settings = Settings(_BATCH_SIZE.value, _LEARNING_RATE.value, _POINTS.value, _SEED.value)
    kinds = regimes(_STEPS.value, _SECONDS.value)
    chosen = [target for dim in dims for target in targets(dim)]
    print(f"{device()}, jax {jax.__version__}, batches of {settings.batch_size}, seed {settings.seed}", flush=True)
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
                    "device": device(),
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
    _MODELS = flags.DEFINE_list("models", list(MODELS), f"Models to compare, of {', '.join(MODELS)}.")
    _STEPS = flags.DEFINE_integer("steps", 2000, "Number of optimiser steps of the first regime.", lower_bound=1)
    _SECONDS = flags.DEFINE_float(
        "seconds", 60.0, "Training time of the second regime, without compilation.", lower_bound=1e-3
    )
    _BATCH_SIZE = flags.DEFINE_integer("batch_size", 256, "Number of fresh examples per step.", lower_bound=1)
    _LEARNING_RATE = flags.DEFINE_float(
        "learning_rate", 1e-3, "Initial learning rate of Adam, which decays as a cosine."
    )
    _POINTS = flags.DEFINE_integer(
        "points", 2000, "Number of fresh points that the KL is averaged over.", lower_bound=2
    )
    _SEED = flags.DEFINE_integer(
        "seed", 0, "Seed of parameters, batches and points.", lower_bound=0, upper_bound=MAX_SEED
    )
    _OUTPUT = flags.DEFINE_string("output", None, "File for the results as JSON.")
    command_line.run(main)
