"""Runs with made-up numbers and pictures, reported as the programs do; for tests of the reports."""

import dataclasses
import pathlib
import unittest.mock
from types import SimpleNamespace
from typing import Any

import jax
import numpy as np

from experiments.hgn import presets, report
from experiments.hnn import presets as hnn_presets
from experiments.hnn import report as hnn_report
from experiments.nhf import presets as nhf_presets
from experiments.nhf import report as nhf_report
from experiments.run.run_directory import RunDirectory, write_config
from hgn_jax.models.densities import TARGETS
from hgn_jax.models.nhf import make_nhf
from hgn_jax.physics.phase_space import PhaseState

NUM_FRAMES = 5
RUN = {
    "preset": "a preset", "steps": 30, "seed": 4, "device": "1 x cpu",
    "multiplier": {"last": 12.0, "saturated": None}, "versions": {"jax": "0.1"},
    "wall_time_s": {"training": 300.0, "evaluation": 10.0}, "cpu_time_s": {"training": 500.0},
}  # fmt: skip

PREDICTION = {
    "forward": {"60": {"steps": 41.5, "fraction": 41.5 / 60, "horizon": 60}},
    "backward": {"60": {"steps": 60.0, "fraction": 1.0, "horizon": 60}},
}
LATENT = {"score": 1.0, "r_squared": 0.95, "distance": None, "order": 3, "num_latents": 2, "variance_kept": 1.0}


def results(**more: Any) -> dict[str, Any]:
    """What `metrics.json` holds of a model of frames, and what is given beside that."""
    row = {"mse": 2e-4, "mse_std": 1e-5, "mse_per_step": [2e-4] * NUM_FRAMES}
    still = {**row, "mse_per_step": [0.0, *[4e-4] * (NUM_FRAMES - 1)]}
    split = {**row, "skill": 0.9, "reference": {"mean_image": {**row, "mse": 8e-4}, "first_frame": still}}
    energy = {
        name: {"drift": drift, "mean": 1.0, "variance": 0.5} for name, drift in (("leapfrog", 0.01), ("euler", 2))
    }
    dynamics = {"reversibility": 1e-7, "energy": energy}
    return {"train": split, "test": split, "dynamics": dynamics, "run": RUN, **more}


def clips() -> SimpleNamespace:
    """Two clips, a red one and a green one, both reconstructed in a blue that brightens."""
    observed = np.zeros((2, NUM_FRAMES, 8, 8, 3), np.float32)
    observed[0, ..., 0] = observed[1, ..., 1] = 1.0
    predicted = np.zeros_like(observed)
    predicted[..., 2] = np.linspace(0.5, 1.0, NUM_FRAMES)[:, None, None]
    return SimpleNamespace(observed=observed, predicted=predicted)


def _run(directory: pathlib.Path, config: Any, scalars: tuple[str, ...]) -> RunDirectory:
    """A run's directory with its configuration and training curves."""
    run = RunDirectory(directory)
    write_config(run, config)
    rows = [f"{step},{','.join(['0.5'] * len(scalars))}" for step in (10, 20, 30)]
    (directory / "metrics.csv").write_text("\n".join([f"step,{','.join(scalars)}", *rows]) + "\n")
    return run


def report_hgn(directory: pathlib.Path, **more: Any) -> RunDirectory:
    """Of HGN; `more` goes to `results`."""
    run = _run(directory, presets.get("mass_spring_small"), ("mse", "kl", "multiplier", "gradient_norm"))
    report.write(run, results(**more), {"test": clips(), "train": clips()})
    return run


def report_hnn(directory: pathlib.Path) -> RunDirectory:
    """Of PixelHNN."""
    run = _run(directory, hnn_presets.get("pendulum_small"), ("loss", "autoencoding", "canonical", "field"))
    found = results(model="pixel", prediction=PREDICTION, latent=LATENT, frames_seen=2)
    for split in ("train", "test"):
        found[split] = {**found[split], "scipy": found[split]["reference"]["mean_image"]}
    hnn_report.write(run, found, {"test": clips(), "train": clips()})
    return run


def report_states(directory: pathlib.Path) -> RunDirectory:
    """Of an HNN of true states."""
    run = _run(directory, hnn_presets.get("pendulum_state"), ("loss", "field"))
    fields = {"field_error": 0.1, "field_error_of_true_energy": 0.0, "mean_square_of_field": 2.0}
    row = {"mse": 1e-3, "mse_per_step": [0.0, 1e-3]}
    dynamics = {"reversibility": 1e-4, "energy": {"rk4": {"drift": None}, "scipy": {"drift": 0.1}}}
    found = {"train": fields, "test": fields, "paths": {"rk4": row, "scipy": row}, "dynamics": dynamics}
    path = PhaseState(np.ones((2, 3, 1)), np.zeros((2, 3, 1)))
    shown = {"true": path, "rk4": path, "scipy": path}
    hnn_report.write(run, {**found, "model": "state", "run": RUN}, shown)
    return run


def report_nhf(directory: pathlib.Path) -> RunDirectory:
    """Of a flow that was not trained."""
    config = dataclasses.replace(nhf_presets.get("four_modes"), hidden_sizes=(4,), posterior_sizes=(4,), num_links=1)
    run = _run(directory, config, ("bound", "log_prior", "entropy"))
    density, nhf, key = TARGETS["four_modes"](), make_nhf(config), jax.random.PRNGKey(0)
    test = np.asarray(density.sample(key, 50))
    value = {"mean": -3.0, "standard_error": 0.1}
    known = {name: value for name in ("elbo", "exact_log_prob", "kl", "gaussian_kl")}
    errors = {"inverse": 1e-7, "volume": 1e-6}
    found = {
        "test": {"num_points": 50, "log_prob": {"1": value, "2": value}, **known},
        "map": {"float32": errors, "float64": errors},
        "minima": {"near": 0.6, "fraction_of_modes": 0.75},
        "run": RUN,
    }
    state, points = SimpleNamespace(params=nhf.init(key, test)), SimpleNamespace(test=test, density=density)
    flow = SimpleNamespace(run=run, config=config, model=nhf, state=state, data=points)
    with unittest.mock.patch.multiple(nhf_report, _GRID_SIZE=20, _NUM_SAMPLES=50, _FRAMES=4):  # to be quick
        nhf_report.write(flow, found)
    return run
