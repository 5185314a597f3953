"""What a run of HGN leaves to look at: pictures and a page in `report/`, and the summary on the screen."""

from experiments.clips import report as frame_report
from experiments.reporting.page import Picture, print_tables, write_page
from experiments.reporting.pictures import draw_errors, draw_reconstructions, draw_training
from experiments.run.provenance import provenance
from experiments.run.results import Results, to_json
from experiments.run.trainer import Run
from experiments.tasks import Evaluation
from hgn_jax.training.logs import read_metrics

_MODEL = "HGN"

_LEAD = (
    "A Hamiltonian Generative Network watches a clip, infers a state (q, p) of an abstract phase space, learns a "
    "Hamiltonian on it, rolls the state out along Hamilton's equations and decodes each position q to a frame."
)
_PICTURES = (
    *frame_report.captions("the state inferred from the clip"),
    Picture(
        "training.png",
        "Training",
        "Over the steps: the mean squared error of the reconstruction; the divergence KL of the posterior from its "
        "prior, the information taken from a clip; the multiplier by which GECO weighs the error, where it is used; "
        "and the norm of the gradient, whose peaks show where training was rough.",
    ),
)
_CURVES = {
    "mse": "mean squared error per pixel",
    "kl": "KL, nats per clip",
    "multiplier": "multiplier of GECO",
    "gradient_norm": "norm of the gradient",
}


def write(of_run: Run, evaluation: Evaluation) -> None:
    """Draws the pictures of a run into its `report/`, and the page that shows them."""
    run, results, reconstructions = of_run.directory, to_json(evaluation.results), evaluation.shown
    run.report.mkdir(exist_ok=True)
    draw_reconstructions(run.report, reconstructions, _MODEL, "the inferred initial state")
    draw_errors(run.report / "error_per_step.png", results, _MODEL)
    draw_training(run.report / "training.png", read_metrics(run.path / "metrics.csv"), _CURVES)
    title = f"Hamiltonian Generative Network: {results['run']['preset']}"
    origin = provenance(run, evaluation.results.run)
    lead = (_LEAD, frame_report.describe(origin.config, results))
    write_page(run.report, title, lead, frame_report.frame_tables(results, _MODEL), _PICTURES, origin)


def print_summary(results: Results) -> None:
    """Prints the numbers of the page."""
    results = to_json(results)
    print_tables(frame_report.measured(results, _MODEL))
    frame_report.print_unmeasured(results)
    for note in results.get("notes", ()):
        print(f"note: {note}")
