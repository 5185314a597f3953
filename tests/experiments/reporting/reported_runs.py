"""Reports of all tasks, of runs with made-up numbers and pictures."""

import dataclasses
import pathlib
import unittest.mock
from types import SimpleNamespace
from typing import Any

import jax
import numpy as np

from experiments.clips.reconstruction import Reconstructions
from experiments.clips.results import (
    Dynamics,
    EnergyStatistics,
    Errors,
    FrameResults,
    Latent,
    PredictionTime,
    SplitErrors,
)
from experiments.hnn.results import FieldErrors, PathErrors, StateResults
from experiments.nhf import pictures as nhf_pictures
from experiments.nhf import report as nhf_report
from experiments.nhf.results import Estimate, FlowResults, Likelihood, MapErrors, Minima
from experiments.run.presets import pick
from experiments.run.results import Multiplier, Results, RunFacts
from experiments.run.run_directory import RunDirectory, write_config
from experiments.run.trainer import Run
from experiments.tasks import TASKS, Evaluation
from hgn_jax.models.densities import TARGETS
from hgn_jax.models.nhf import make_nhf
from hgn_jax.physics.phase_space import PhaseState

NUM_FRAMES = 5
RUN = RunFacts(
    preset="a preset", steps=30, seed=4, device="1 x cpu", multiplier=Multiplier(last=12.0, saturated=None),
    versions={"jax": "0.1"}, wall_time_s={"training": 300.0, "evaluation": 10.0}, cpu_time_s={"training": 500.0},
)  # fmt: skip
PREDICTION = {
    "forward": {"60": PredictionTime(steps=41.5, fraction=41.5 / 60, horizon=60)},
    "backward": {"60": PredictionTime(steps=60.0, fraction=1.0, horizon=60)},
}
LATENT = Latent(score=1.0, r_squared=0.95, distance=None, order=3, num_latents=2)
_MEAN_IMAGE = Errors(mse=8e-4, mse_std=1e-5, mse_per_step=[2e-4] * NUM_FRAMES)
_FIRST_FRAME = Errors(mse=2e-4, mse_std=1e-5, mse_per_step=[0.0, *[4e-4] * (NUM_FRAMES - 1)])


def split_errors(**more: Any) -> SplitErrors:
    """Returns the errors of a model on a split; `more` replaces fields."""
    fields = {
        "mse": 2e-4, "mse_std": 1e-5, "mse_per_step": [2e-4] * NUM_FRAMES, "num_examples": 500, "skill": 0.9,
        "reference": {"mean_image": _MEAN_IMAGE, "first_frame": _FIRST_FRAME},
    }  # fmt: skip
    return SplitErrors(**{**fields, **more})


def results(**more: Any) -> FrameResults:
    """Returns the results of a model of frames; `more` replaces fields."""
    energy = {
        "leapfrog": EnergyStatistics(drift=0.01, mean=1.0, variance=0.5),
        "euler": EnergyStatistics(drift=2.0, mean=1.0, variance=0.5),
    }
    fields = {
        "train": split_errors(), "test": split_errors(), "dynamics": Dynamics(reversibility=1e-7, energy=energy),
        "frames_seen": NUM_FRAMES, "prediction": {"forward": {}, "backward": {}}, "run": RUN,
    }  # fmt: skip
    return FrameResults(**{**fields, **more})


def clips() -> Reconstructions:
    """Returns two clips, a red one and a green one, both reconstructed in a blue that brightens."""
    observed = np.zeros((2, NUM_FRAMES, 8, 8, 3), np.float32)
    observed[0, ..., 0] = observed[1, ..., 1] = 1.0
    predicted = np.zeros_like(observed)
    predicted[..., 2] = np.linspace(0.5, 1.0, NUM_FRAMES)[:, None, None]
    return Reconstructions({}, observed, predicted)


def _run(directory: pathlib.Path, config: Any, scalars: tuple[str, ...], **more: Any) -> Run:
    """Returns a run that has only a configuration and training curves, and what is given in `more`."""
    run_directory = RunDirectory(directory)
    write_config(run_directory, config)
    rows = [f"{step},{','.join(['0.5'] * len(scalars))}" for step in (10, 20, 30)]
    (directory / "metrics.csv").write_text("\n".join([f"step,{','.join(scalars)}", *rows]) + "\n")
    return Run(run_directory, config, **{"model": None, "data": None, "state": None, "seconds": {}, **more})


def _report(run: Run, results: Results, shown: Any = None) -> pathlib.Path:
    TASKS[run.config.program].report(run, Evaluation(results, shown))
    return run.directory.report


def report_hgn(directory: pathlib.Path, **more: Any) -> pathlib.Path:
    """Writes the report of an HGN; `more` goes to `results`."""
    config = pick(TASKS["hgn"].presets, "mass_spring_small")
    run = _run(directory, config, ("mse", "kl", "multiplier", "gradient_norm"))
    return _report(run, results(**more), {"test": clips(), "train": clips()})


def report_hnn(directory: pathlib.Path) -> pathlib.Path:
    """Writes the report of PixelHNN."""
    config = pick(TASKS["hnn"].presets, "pendulum_small")
    run = _run(directory, config, ("loss", "autoencoding", "canonical", "field"))
    split = split_errors(scipy=_MEAN_IMAGE)
    numbers = results(model="pixel", prediction=PREDICTION, latent=LATENT, frames_seen=2, train=split, test=split)
    return _report(run, numbers, {"test": clips(), "train": clips()})


def report_states(directory: pathlib.Path) -> pathlib.Path:
    """Writes the report of an HNN of true states."""
    run = _run(directory, pick(TASKS["hnn"].presets, "pendulum_state"), ("loss", "field"))
    fields = FieldErrors(num_examples=5, field_error=0.1, field_error_of_true_energy=0.0, mean_square_of_field=2.0)
    energy = EnergyStatistics(drift=0.1, mean=None, variance=None)
    errors = PathErrors(mse=1e-3, mse_per_step=[0.0, 1e-3], true_energy=energy, true_energy_mse=0.1)
    numbers = StateResults(
        train=fields, test=fields, paths={"rk4": errors, "scipy": errors}, run=RUN, model="state",
        dynamics=Dynamics(reversibility=1e-4, energy={"rk4": energy, "scipy": energy}),
    )  # fmt: skip
    path = PhaseState(np.ones((2, 3, 1)), np.zeros((2, 3, 1)))
    return _report(run, numbers, {"true": path, "rk4": path, "scipy": path})


def report_nhf(directory: pathlib.Path) -> pathlib.Path:
    """Writes the report of a flow that was not trained."""
    config = pick(TASKS["nhf"].presets, "four_modes")
    config = dataclasses.replace(config, hidden_sizes=(4,), posterior_sizes=(4,), num_links=1)
    density, nhf, key = TARGETS["four_modes"](), make_nhf(config), jax.random.PRNGKey(0)
    test = np.asarray(density.sample(key, 50))
    state, points = SimpleNamespace(params=nhf.init(key, {"x": test})), SimpleNamespace(test=test, density=density)
    run = _run(directory, config, ("bound", "log_prior", "entropy"), model=nhf, data=points, state=state)
    value, errors = Estimate(mean=-3.0, standard_error=0.1), MapErrors(inverse=1e-7, volume=1e-6)
    known = dict.fromkeys(("elbo", "exact_log_prob", "kl", "gaussian_kl"), value)
    numbers = FlowResults(
        test=Likelihood(num_points=50, log_prob={"1": value, "2": value}, **known),
        map={"float32": errors, "float64": errors},
        minima=Minima(positions=[], near=0.6, fraction_of_modes=0.75),
        run=RUN,
    )
    with (
        unittest.mock.patch.object(nhf_report, "_NUM_SAMPLES", 50),
        unittest.mock.patch.multiple(nhf_pictures, _GRID_SIZE=20, _NUM_MOMENTA=2, _MOVIE_FRAMES=4),
    ):
        return _report(run, numbers)


_FRAME_PICTURES = ("Test clips", "Test clips in motion", "Training clips", "Error at each step")
# How to write the report of a task, and the titles of its pictures beside the training curves.
REPORTS = {
    "hgn": (report_hgn, _FRAME_PICTURES),
    "hnn": (report_hnn, _FRAME_PICTURES),
    "hnn_states": (report_states, ("Paths",)),
    "nhf": (report_nhf, ("The learned flow", "Density", "The flow in motion", "Samples", "The bound")),
}
