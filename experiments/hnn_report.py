"""What a run of a Hamiltonian Neural Network leaves to look at: pictures, a page, the summary on the screen."""

import pathlib
from typing import Any

import matplotlib
import numpy as np

from experiments import report
from experiments.page import Picture, write_page
from experiments.run_directory import RunDirectory
from hgn_jax.logs import read_metrics

matplotlib.use("agg")
from matplotlib import pyplot as plt  # noqa: E402  (the backend must be chosen first)

_TITLES = {"state": "HNN of true states", "pixel": "PixelHNN", "convolutional": "HNN (conv)"}
_LABELS = {
    "model": "HNN", "scipy": "HNN, by scipy", "mean_image": "mean image", "first_frame": "first frame held",
    "noise_floor": "noise floor",
}  # fmt: skip
_STYLES = {
    "model": ("#0072b2", "-"), "scipy": ("#56b4e9", "--"), "mean_image": ("#d55e00", "-"),
    "first_frame": ("#cc79a7", "-"), "noise_floor": ("#009e73", "-"),
}  # fmt: skip
_TERMS = ("loss", "autoencoding", "canonical", "field", "gradient_norm")
_PATHS_SHOWN = 4
_FRAMES_PER_STRIP = 11

_STRIPS = "Clips of the {} split: observed frames above the rollout from the state of the first two frames."
_PICTURES = {
    "reconstruction_test.png": _STRIPS.format("test"),
    "reconstruction_test.gif": "The same clips in motion: observed above, reconstructed below.",
    "reconstruction_train.png": _STRIPS.format("training"),
    "error_per_step.png": "Mean squared error at each step, of the model and of the reference rows.",
    "paths.png": (
        "Test trajectories: coordinate and momentum of the first degree of freedom against time, true and by rollouts "
        "of the learned Hamiltonian; and the mean squared error of all of them."
    ),
    "training.png": "The training curves: the loss and its terms, each before its weight.",
}


def write(run: RunDirectory, results: dict[str, Any], shown: dict[str, Any]) -> None:
    """Draws the pictures of a run into its `report/`, and the page that shows them.

    Args:
      run: its directory.
      results: what `metrics.json` holds.
      shown: the reconstructions of each split; of a model of states the paths, the `true` one first.
    """
    run.report.mkdir(exist_ok=True)
    if results["model"] == "state":
        draw_paths(run.report / "paths.png", shown, results)
    else:
        for split, clips in shown.items():
            draw_strips(run.report / f"reconstruction_{split}.png", clips.observed, clips.predicted, split)
        test = shown["test"]
        report.write_movie(run.report / "reconstruction_test.gif", [test.observed, test.predicted])
        draw_errors(run.report / "error_per_step.png", results)
    draw_training(run.report / "training.png", read_metrics(run.path / "metrics.csv"))
    pictures = [Picture(name, text) for name, text in _PICTURES.items() if (run.report / name).exists()]
    write_page(run.report, f"{_TITLES[results['model']]}: {results['run']['preset']}", _tables(results), pictures)


def draw_strips(path: pathlib.Path, observed: np.ndarray, predicted: np.ndarray, split: str) -> None:
    """Observed above reconstructed frames of each clip, `[clips, frames, height, width, 3]`."""
    times = report.frame_numbers(observed.shape[1], _FRAMES_PER_STRIP)
    clips = [clip[times] for pair in zip(observed, predicted, strict=True) for clip in pair]
    figure, axes = plt.subplots(figsize=(11, 11 * len(clips) / len(times) + 0.8))
    report.show_strips(axes, clips, ["observed", "HNN"] * len(observed), times, gaps=(1, 5))
    axes.set_title(f"{split} trajectories: observed frames and the rollout from the first two")
    report.save(figure, path)


def draw_errors(path: pathlib.Path, results: dict[str, Any]) -> None:
    """Mean squared error per step of the model, by both solvers, and of the reference rows, on both splits."""
    figure, axes = plt.subplots(1, 2, figsize=(10, 4), sharey=True, layout="constrained")
    for panel, split in zip(axes, ("train", "test"), strict=True):
        rows = {"model": results[split], "scipy": results[split]["scipy"], **results[split]["reference"]}
        for name, row in rows.items():
            errors = np.array(row["mse_per_step"])
            errors[errors == 0] = np.nan  # the first frame held is exact at step 0, which a logarithm cannot show
            colour, line = _STYLES[name]
            panel.plot(errors, line, label=_LABELS[name], color=colour)
        skill = f", skill {results[split]['skill']:.3f}" if "skill" in results[split] else ""
        panel.set(title=f"{split}{skill}", xlabel="step", yscale="log")
    axes[0].set_ylabel("mean squared error per pixel")
    figure.legend(*axes[1].get_legend_handles_labels(), loc="outside lower center", ncols=len(_LABELS))
    report.save(figure, path)


def draw_paths(path: pathlib.Path, paths: dict[str, Any], results: dict[str, Any]) -> None:
    """q and p of the first degree of freedom along some true and learned paths, and the error of all per step."""
    figure, axes = plt.subplots(1, 3, figsize=(13, 3.6), layout="constrained")
    for (name, states), (colour, line) in zip(
        paths.items(), (("#999999", "-"), ("#0072b2", "-"), ("#d55e00", ":")), strict=True
    ):
        width = 4 if name == "true" else 1.5
        for panel, values in zip(axes, states, strict=False):
            lines = panel.plot(values[:, :_PATHS_SHOWN, 0], line, color=colour, linewidth=width)
            lines[0].set_label(name)
    for panel, symbol in zip(axes, "qp", strict=False):
        panel.set(title=f"{symbol}, the first coordinate", xlabel="step", ylabel=symbol)
    for (name, row), colour in zip(results["paths"].items(), ("#0072b2", "#d55e00"), strict=True):
        errors = np.array(row["mse_per_step"])
        axes[2].plot(np.where(errors > 0, errors, np.nan), "-" if name != "scipy" else ":", label=name, color=colour)
    axes[2].set(title="mean squared error of q and p", xlabel="step", yscale="log")
    axes[0].legend()
    axes[2].legend()
    report.save(figure, path)


def draw_training(path: pathlib.Path, rows: list[dict[str, float]]) -> None:
    """The loss and its terms over the steps of training."""
    names = [name for name in _TERMS if rows and name in rows[0]]
    figure, axes = plt.subplots(1, len(names), figsize=(3.2 * len(names), 3), layout="constrained", squeeze=False)
    for panel, name in zip(axes[0], names, strict=True):
        panel.plot([row["step"] for row in rows], [row[name] for row in rows], color=_STYLES["model"][0])
        panel.set(title=name.replace("_", " "), xlabel="step", yscale="log")
    report.save(figure, path)


def _tables(results: dict[str, Any]) -> dict[str, dict[str, str]]:
    """The numbers of the page, by heading."""
    tables = _state_tables(results) if results["model"] == "state" else _frame_tables(results)
    energies = {
        f"{name}, {solver}": "-" if value is None else f"{value:.3g}"
        for solver, statistics in results["dynamics"]["energy"].items()
        for name, value in statistics.items()
    }
    tables["Learned energy along rollouts"] = energies
    run = results["run"]
    tables["The run"] = {"steps": str(run["steps"]), "seed": str(run["seed"]), "device": run["device"]}
    return tables


def _frame_tables(results: dict[str, Any]) -> dict[str, dict[str, str]]:
    tables = {}
    for split in ("test", "train"):
        rows = {"model": results[split], "scipy": results[split]["scipy"]} | results[split]["reference"]
        errors = {_LABELS[name]: f"{row['mse'] * 1e4:.2f} ± {row['mse_std'] * 1e4:.2f}" for name, row in rows.items()}
        if "skill" in results[split]:
            errors["skill"] = f"{results[split]['skill']:.3f}"
        tables[f"Mean squared error x 1e4, {split}"] = errors
    times = {
        f"{direction}, of {horizon} steps": f"{time['steps']:g} ({time['fraction']:.0%})"
        for direction, horizons in results["prediction"].items()
        for horizon, time in horizons.items()
    }
    tables["Valid prediction time after the first two frames, before the last two"] = times
    if "latent" in results:
        tables["SyMetric"] = {name.replace("_", " "): _short(value) for name, value in results["latent"].items()}
    return tables


def _state_tables(results: dict[str, Any]) -> dict[str, dict[str, str]]:
    tables = {
        f"Field error, {split}": {
            name.replace("_", " "): _short(results[split][name])
            for name in ("field_error", "field_error_of_true_energy", "mean_square_of_field")
        }
        for split in ("test", "train")
    }
    if "published" in results:
        tables["Field error published by Greydanus et al. (2019)"] = {
            split: _short(value) for split, value in results["published"].items()
        }
    tables["Mean squared error of paths"] = {name: _short(row["mse"]) for name, row in results["paths"].items()}
    return tables


def _short(value: float | None) -> str:
    return "-" if value is None else f"{value:.4g}"


def print_summary(results: dict[str, Any]) -> None:
    """Prints the numbers of the page."""
    for heading, rows in _tables(results).items():
        print(f"\n{heading}")
        for name, value in rows.items():
            print(f"  {name:<34}{value}")
