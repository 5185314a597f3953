"""What a run of a Hamiltonian Neural Network leaves to look at: pictures, a page, the summary on the screen."""

import pathlib
from typing import Any

import numpy as np
from matplotlib import pyplot as plt

from experiments.clips import report as frame_report
from experiments.clips.report import short
from experiments.reporting import pictures
from experiments.reporting.page import Picture, Table, print_tables, write_page
from experiments.run.provenance import provenance
from experiments.run.results import Results, to_json
from experiments.run.trainer import Run
from experiments.tasks import Evaluation
from hgn_jax.training.logs import read_metrics

_MODEL = "HNN"
_TITLES = {"state": "HNN of true states", "pixel": "PixelHNN", "convolutional": "HNN (conv)"}
_LEADS = {
    "state": "A Hamiltonian Neural Network learns an energy of true states (q, p) such that Hamilton's equations give "
    "their time derivatives.",
    "pixel": "PixelHNN encodes a pair of frames to a state (q, p) of as many dimensions as the true system has, learns "
    "a Hamiltonian on it, rolls the state out and decodes each state to a frame, by fully connected networks.",
    "convolutional": "HNN (conv) is PixelHNN with the convolutional encoder and decoder of a Hamiltonian Generative "
    "Network: a state (q, p) of as many dimensions as the true system has, and a Hamiltonian learned on it.",
}
_CURVES = {
    "loss": "loss",
    "autoencoding": "autoencoding",
    "canonical": "canonical coordinates",
    "field": "vector field",
    "gradient_norm": "norm of the gradient",
}
_PATHS_SHOWN = 4
_PATH_COLOURS = ("#0072b2", "#d55e00")  # of the model's own integrator and of scipy's

_PICTURES = (
    *frame_report.captions("the state of the first two frames"),
    Picture(
        "paths.png",
        "Paths",
        "Test trajectories: coordinate and momentum of the first degree of freedom against time, true and by rollouts "
        "of the learned Hamiltonian, which should cover each other; and the mean squared error of all of them, lower "
        "is better.",
    ),
    Picture(
        "training.png",
        "Training",
        "Over the steps: the loss, its terms, each before its weight, and the norm of the gradient. Lower is better.",
    ),
)


def write(of_run: Run, evaluation: Evaluation) -> None:
    """Draws the pictures of a run into its `report/`, and the page that shows them."""
    run, results, shown = of_run.directory, to_json(evaluation.results), evaluation.shown
    run.report.mkdir(exist_ok=True)
    origin = provenance(run, evaluation.results.run)
    if results["model"] == "state":
        draw_paths(run.report / "paths.png", shown, results)
        found = f"This run learned the states of {origin.config['data.name']} in {results['run']['steps']} steps."
    else:
        pictures.draw_reconstructions(run.report, shown, _MODEL, "the first two")
        pictures.draw_errors(run.report / "error_per_step.png", results, _MODEL)
        found = frame_report.describe(origin.config, results)
    pictures.draw_training(run.report / "training.png", read_metrics(run.path / "metrics.csv"), _CURVES)
    title = f"{_TITLES[results['model']]}: {results['run']['preset']}"
    write_page(run.report, title, (_LEADS[results["model"]], found), _tables(results), _PICTURES, origin)


def draw_paths(path: pathlib.Path, paths: dict[str, Any], results: dict[str, Any]) -> None:
    """q and p of the first degree of freedom along some true and learned paths, and the error of all per step."""
    figure, axes = plt.subplots(1, 3, figsize=(13, 3.6), layout="constrained")
    styles = (("#999999", "-"), *zip(_PATH_COLOURS, "-:", strict=True))
    for (name, states), (colour, line) in zip(paths.items(), styles, strict=True):
        width = 4 if name == "true" else 1.5
        for panel, values in zip(axes, states, strict=False):
            lines = panel.plot(values[:, :_PATHS_SHOWN, 0], line, color=colour, linewidth=width)
            lines[0].set_label(name)
    for panel, symbol in zip(axes, "qp", strict=False):
        panel.set(title=f"{symbol}, the first coordinate", xlabel="step", ylabel=symbol)
    for (name, row), colour in zip(results["paths"].items(), _PATH_COLOURS, strict=True):
        errors = np.array(row["mse_per_step"])
        axes[2].plot(np.where(errors > 0, errors, np.nan), "-" if name != "scipy" else ":", label=name, color=colour)
    axes[2].set(title="mean squared error of q and p", xlabel="step", yscale="log")
    axes[0].legend()
    axes[2].legend()
    pictures.save(figure, path)


def _tables(results: dict[str, Any]) -> list[Table]:
    """The numbers of the page."""
    return _state_tables(results) if results["model"] == "state" else frame_report.frame_tables(results, _MODEL)


def _state_tables(results: dict[str, Any]) -> list[Table]:
    splits = ("test", "train")
    names = ("field_error", "field_error_of_true_energy", "mean_square_of_field")
    rows = {name.replace("_", " "): [short(results[split][name]) for split in splits] for name in names}
    meaning = (
        "Mean square of what the learned vector field misses of the time derivatives, averaged over coordinates and "
        "momenta; lower is better. The field of the true energy misses something too where the states carry noise. The "
        "mean square of the derivatives themselves is the scale of both."
    )
    if "published" in results:
        rows["published by Greydanus et al. (2019)"] = [short(results["published"][split]) for split in splits]
    paths = {name: (short(row["mse"]),) for name, row in results["paths"].items()}
    path_meaning = (
        "Mean squared error of the coordinates and momenta of test trajectories without noise, rolled out from their "
        "true start by the model's integrator and by scipy's; lower is better."
    )
    return [
        Table("Error of the vector field", rows, meaning, splits),
        Table("Mean squared error of paths", paths, path_meaning),
        *frame_report.dynamics_tables(results["dynamics"]),
    ]


def print_summary(results: Results) -> None:
    """Prints the numbers of the page."""
    print_tables(_tables(to_json(results)))
