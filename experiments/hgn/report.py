"""The report of an HGN: pictures and a page in `report/`, and the summary printed."""

from experiments.clips import report as frame_report
from experiments.clips.beyond_pictures import write_beyond
from experiments.clips.beyond_report import PICTURES as BEYOND_PICTURES
from experiments.clips.pictures import draw_errors, write_reconstructions
from experiments.clips.results import FrameResults
from experiments.clips.verdict import print_verdict, verdict
from experiments.hgn import law_report, sampling, sampling_report
from experiments.reporting import style
from experiments.reporting.page import Picture, write_page
from experiments.reporting.pictures import draw_training
from experiments.reporting.tables import print_tables
from experiments.run.provenance import provenance
from experiments.run.trainer import Run
from experiments.tasks import Evaluation
from hgn_jax.training.logs import read_metrics

MODEL = "HGN"
_LEAD = (
    "A Hamiltonian Generative Network (HGN) watches a clip, infers a state (q, p) of an abstract phase space, learns a "
    "Hamiltonian on it, rolls the state out along Hamilton's equations, and decodes each position q to a frame."
)
_PICTURES = (
    law_report.PICTURE,
    *frame_report.captions("the state inferred from the clip"),
    *BEYOND_PICTURES,
    *sampling_report.pictures("new_trajectories", sampling.NEW),
    Picture(
        "training.png",
        "Training",
        "During training: the mean squared error of the reconstruction; the KL divergence of the posterior from the "
        "prior, which measures the information taken from a clip; the multiplier by which GECO weighs the error, if "
        "GECO is used; and the norm of the gradient, whose peaks show where training was rough.",
    ),
)
CURVES = {
    "mse": "mean squared error per pixel",
    "kl": "KL, nats per clip",
    "multiplier": "multiplier of GECO",
    "gradient_norm": "norm of the gradient",
}


def write(run: Run, evaluation: Evaluation) -> None:
    """Writes the pictures of a run and the page that shows them into its `report/`."""
    directory, results = run.directory, evaluation.results
    directory.report.mkdir(exist_ok=True)
    write_reconstructions(directory.report, evaluation.shown.reconstructions, MODEL, "the inferred initial state")
    write_beyond(directory.report, evaluation.shown.beyond, MODEL)
    sampling.write_new(run, sampling.Options(), directory.report / "new_trajectories", movies=(".gif",))
    curves = draw_training(read_metrics(directory.path / "metrics.csv"), CURVES)
    figures = {"error_per_step.png": draw_errors(results, MODEL), "training.png": curves}
    if evaluation.shown.law is not None:
        figures[law_report.PICTURE.name] = evaluation.shown.law()
    style.save_all(directory.report, figures)
    origin = provenance(directory, results.run)
    title = f"Hamiltonian Generative Network: {results.run.preset}"
    lead = (*verdict(results), _LEAD, frame_report.describe(origin.config, results))
    tables = law_report.tables(results.beyond_the_clip) + frame_report.frame_tables(results, MODEL)
    write_page(directory.report, title, lead, tables, _PICTURES, origin)


def print_summary(results: FrameResults) -> None:
    """Prints the numbers of the page."""
    print_tables(frame_report.number_tables(results, MODEL))
    frame_report.print_unmeasured(results)
    if results.beyond_the_clip is not None and results.beyond_the_clip.law is not None:
        print(law_report.sentence(results.beyond_the_clip.law))
    for note in results.notes:
        print(f"note: {note}")
    print_verdict(results)
