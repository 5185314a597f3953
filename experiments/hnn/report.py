"""The report of an HNN, of frames or of true states: pictures and a page in `report/`, and the summary printed."""

from collections.abc import Mapping

from matplotlib.figure import Figure

from experiments.clips import report as frame_report
from experiments.clips.beyond_pictures import write_beyond
from experiments.clips.beyond_report import PICTURES as BEYOND_PICTURES
from experiments.clips.pictures import draw_errors, write_reconstructions
from experiments.clips.report import short
from experiments.clips.results import FrameResults
from experiments.clips.verdict import print_verdict, verdict
from experiments.hnn.results import PathErrors, StateResults
from experiments.reporting import style
from experiments.reporting.page import Picture, write_page
from experiments.reporting.pictures import draw_training
from experiments.reporting.tables import Table, print_tables
from experiments.run.provenance import provenance
from experiments.run.trainer import Run
from experiments.tasks import Evaluation
from hgn_jax.physics.phase_space import PhaseState
from hgn_jax.training.logs import read_metrics

_MODEL = "HNN"
_TITLES = {"state": "HNN of true states", "pixel": "PixelHNN", "convolutional": "HNN (conv)"}
_LEADS = {
    "state": "A Hamiltonian Neural Network (HNN) learns an energy of true states (q, p) such that Hamilton's equations "
    "give the time derivatives of the states.",
    "pixel": "PixelHNN encodes a pair of frames to a state (q, p) with as many dimensions as the true system, learns a "
    "Hamiltonian on it, rolls the state out, and decodes each state to a frame. All its networks are fully connected.",
    "convolutional": "HNN (conv) is PixelHNN with the convolutional encoder and decoder of a Hamiltonian Generative "
    "Network. It learns a Hamiltonian on states (q, p) with as many dimensions as the true system.",
}
_CURVES = {
    "loss": "loss",
    "autoencoding": "autoencoding",
    "canonical": "canonical coordinates",
    "field": "vector field",
    "gradient_norm": "norm of the gradient",
}
_PICTURES = (
    *frame_report.captions("the state encoded from the first two frames"),
    Picture(
        "paths.png",
        "Paths",
        "Coordinate and momentum of the first degree of freedom along test trajectories: true paths, and rollouts of "
        "the learned Hamiltonian, which should cover them. Right: mean squared error over all trajectories and "
        "coordinates; lower is better.",
    ),
    *BEYOND_PICTURES,
    Picture(
        "training.png",
        "Training",
        "During training: the loss, its terms before they are weighted, and the norm of the gradient. Lower is better.",
    ),
)
_PATHS_SHOWN = 4
_FIELD = (
    "Mean squared difference between the learned vector field and the time derivatives, averaged over coordinates and "
    "momenta; lower is better. Where the states are noisy, the field of the true energy has an error too. The mean "
    "square of the derivatives gives the scale."
)
_PATHS = (
    "Mean squared error of the coordinates and momenta of noise-free test trajectories, rolled out from their true "
    "initial states by the model's integrator and by scipy; lower is better."
)


def write(run: Run, evaluation: Evaluation) -> None:
    """Writes the pictures of a run and the page that shows them into its `report/`.

    Args:
      run: The run.
      evaluation: Its evaluation, which shows reconstructions by split; for a model of true states it shows paths by
        name, the `true` ones first.
    """
    directory, results = run.directory, evaluation.results
    directory.report.mkdir(exist_ok=True)
    origin = provenance(directory, results.run)
    words = []
    figures = {"training.png": draw_training(read_metrics(directory.path / "metrics.csv"), _CURVES)}
    if isinstance(results, StateResults):
        figures["paths.png"] = draw_paths(evaluation.shown, results.paths)
        name = origin.config["data.name"]
        outcome = f"This model was trained on the states of {name} for {results.run.steps} steps."
    else:
        write_reconstructions(directory.report, evaluation.shown.reconstructions, _MODEL, "the first two")
        write_beyond(directory.report, evaluation.shown.beyond, _MODEL)
        figures["error_per_step.png"] = draw_errors(results, _MODEL)
        outcome = frame_report.describe(origin.config, results)
        words = verdict(results)
    style.save_all(directory.report, figures)
    title = f"{_TITLES[results.model]}: {results.run.preset}"
    write_page(directory.report, title, (*words, _LEADS[results.model], outcome), _tables(results), _PICTURES, origin)


def draw_paths(paths: Mapping[str, PhaseState], errors: Mapping[str, PathErrors]) -> Figure:
    """Draws q and p of the first degree of freedom along some paths, and the error per step of all of them.

    Args:
      paths: States `[steps + 1, examples, d]` by name: `true`, the model's integrator, `scipy`.
      errors: Errors of the rollouts, by the same names without `true`.
    """
    figure, axes = style.subplots(1, 3, figsize=(13, 3.6))
    lines = zip((style.GREY, style.BLUE, style.VERMILION), "--:", (4, 1.5, 1.5), strict=True)
    looks = {
        name: {"color": colour, "linestyle": line, "linewidth": width}
        for name, (colour, line, width) in zip(paths, lines, strict=True)
    }
    for name, states in paths.items():
        for panel, values in zip(axes, states, strict=False):
            first, *_ = panel.plot(values[:, :_PATHS_SHOWN, 0], **looks[name])
            first.set_label(name)
    for name, row in errors.items():
        axes[2].plot(style.positive(row.mse_per_step), label=name, **looks[name])
    for panel, symbol in zip(axes, "qp", strict=False):
        panel.set(title=f"{symbol}, first coordinate", xlabel="step", ylabel=symbol)
    axes[2].set(title="mean squared error of q and p", xlabel="step", yscale="log")
    axes[0].legend()
    axes[2].legend()
    return figure


def _tables(results: FrameResults | StateResults) -> list[Table]:
    if not isinstance(results, StateResults):
        return frame_report.frame_tables(results, _MODEL)
    rows = [
        (name.replace("_", " "), short(getattr(results.test, name)), short(getattr(results.train, name)))
        for name in ("field_error", "field_error_of_true_energy", "mean_square_of_field")
    ]
    if published := results.published:
        rows.append(("published by Greydanus et al. (2019)", short(published["test"]), short(published["train"])))
    paths = [(name, short(errors.mse)) for name, errors in results.paths.items()]
    return [
        Table("Error of the vector field", rows, _FIELD, ("test", "train")),
        Table("Mean squared error of paths", paths, _PATHS),
        *frame_report.dynamics_tables(results.dynamics),
    ]


def print_summary(results: FrameResults | StateResults) -> None:
    """Prints the numbers of the page."""
    print_tables(_tables(results))
    if isinstance(results, FrameResults):
        print_verdict(results)
