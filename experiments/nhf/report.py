"""The report of a flow: pictures and a page in `report/`, and the summary printed."""

import jax
import numpy as np
from matplotlib.figure import Figure

from experiments.nhf import pictures
from experiments.nhf.results import FlowResults
from experiments.reporting import style
from experiments.reporting.page import Picture, write_page
from experiments.reporting.pictures import draw_training
from experiments.reporting.tables import Table, print_tables
from experiments.run.provenance import provenance
from experiments.run.trainer import Run
from experiments.tasks import Evaluation
from hgn_jax.physics.phase_space import PhaseState
from hgn_jax.training.logs import read_metrics

_NUM_SAMPLES = 1000  # of the kernel density estimates (App. A.2) and the movie

_LEAD = (
    "A Neural Hamiltonian Flow (NHF) moves samples of a simple prior along Hamilton's equations of learned energies "
    "until their positions have the density of the data. Each step has an exact inverse and preserves volume, so "
    "densities need no Jacobian determinant. The momenta are latent, so sampling them bounds the likelihood from below."
)
_PICTURES = (
    Picture(
        "figure9.png",
        "The learned flow",
        "Fig. 9 of the paper for this run. From left to right: kernel density estimates (bandwidth 0.3) of 1000 test "
        "points and of 1000 samples of the model, which should look alike; kinetic energy K(p) and potential energy "
        "V(q), averaged over the links of the flow; the first leapfrog step and the whole flow, from samples of the "
        "prior along lines to dots, coloured by where they end.",
    ),
    Picture(
        "density.png",
        "Density",
        "Density of the target, if known, and of the model. The model's is estimated by importance weighting, whose "
        "noise shows as single bright pixels. The colour scale ends near the largest value of the first panel.",
    ),
    Picture(
        "flow.gif", "The flow in motion", "Samples of the prior on their way through the flow, over grey test points."
    ),
    Picture(
        "samples.png",
        "Samples",
        "Test points and samples of the model, by pairs of coordinates. The two should cover each other.",
    ),
    Picture(
        "bound.png",
        "The bound",
        "Importance-weighted bound on the log-likelihood of the test points against the number K of momenta per point. "
        "Higher is tighter; K = 1 is the ELBO. Bars are standard errors over the points, which are the same for all K.",
    ),
    Picture(
        "training.png",
        "Training",
        "During training: the bound, which training raises; the log-density of the prior at s₀; and the entropy of "
        "f(p|q), the distribution of the momenta.",
    ),
)
_CURVES = {"bound": "bound, nats per point", "log_prior": "E ln π(s₀), nats", "entropy": "entropy of f(p|q), nats"}
_LIKELIHOOD = (
    "Mean over test points ± its standard error, in nats; higher is better. The ELBO is the bound with one momentum "
    "per point; with K momenta the bound comes closer to the log-likelihood."
)
_KNOWN_DENSITY = (
    " On average no model exceeds the target's own log-density. KL is the shortfall from it, of the model and of a "
    "Gaussian with the target's moments; lower is better, 0 is perfect."
)
_UNKNOWN_DENSITY = (
    " Densities are per unit of the table's columns, whose standardisation is in `table.json`. A useful flow exceeds "
    "the Gaussian fitted to the training rows."
)
_MAP = (
    "Largest error of the flow's inverse, and largest deviation of its Jacobian determinant from 1, at samples of the "
    "prior. Both are 0 in exact arithmetic; the rest is rounding. Lower is better."
)
_MINIMA = "In the paper's Fig. 9 each mode of the target is a well of the potential; 100% means that every mode is one."
_LIKELIHOOD_ROWS = {
    "exact_log_prob": "the target's own log-density",
    "kl": "KL(target || model), from the largest K",
    "gaussian_kl": "KL(target || Gaussian of its moments)",
    "gaussian_log_prob": "Gaussian fit",
}


def write(flow: Run, evaluation: Evaluation) -> None:
    """Writes the pictures of a run and the page that shows them into its `report/`."""
    results, directory = evaluation.results, flow.directory.report
    directory.mkdir(exist_ok=True)
    nhf, params, points = flow.model, flow.state.params, flow.data
    key, start, observed = _shown(flow)
    curves = draw_training(read_metrics(flow.directory.path / "metrics.csv"), _CURVES, logarithmic=False)
    labels = (
        [name.replace("$", r"\$") + ", standardised" for name in points.table.columns.names] if points.table else None
    )
    figures = {
        "samples.png": pictures.draw_samples(observed, np.asarray(nhf.push_forward(params, start).q), labels),
        "bound.png": pictures.draw_bound(results.test),
        "training.png": curves,
    }
    if observed.shape[1] == 2:
        figures["figure9.png"] = draw_figure_9(flow)
        figures["density.png"] = pictures.draw_densities(nhf, params, key, points.density, observed)
        pictures.write_movie(directory / "flow.gif", nhf, params, start, observed)
    style.save_all(directory, figures)
    title = f"Neural Hamiltonian Flow: {flow.config.preset}"
    origin = provenance(flow.directory, results.run)
    write_page(directory, title, (_LEAD, describe(results)), tables(results), _PICTURES, origin)


def draw_figure_9(flow: Run) -> Figure:
    """Draws Fig. 9 of the paper for a run on points of the plane."""
    _, start, observed = _shown(flow)
    return pictures.draw_figure_9(flow.model, flow.state.params, start, observed)


def _shown(flow: Run) -> tuple[jax.Array, PhaseState, np.ndarray]:
    """Returns the key of the pictures, the samples of the prior and the test points that they show."""
    key = jax.random.PRNGKey(flow.config.evaluation.seed)
    start = flow.model.sample_prior(flow.state.params, key, _NUM_SAMPLES)
    return key, start, flow.data.test[:_NUM_SAMPLES]


def describe(results: FlowResults) -> str:
    """Describes the outcome of a run in a sentence."""
    test, steps = results.test, results.run.steps
    if test.kl is not None:
        return (
            f"After {steps} steps this flow is {test.kl.mean:.3g} nats from its target; a Gaussian is "
            f"{test.gaussian_kl.mean:.3g} from it."
        )
    return (
        f"After {steps} steps this flow gives the test points {test.tightest.mean:.4g} nats on average; a fitted "
        f"Gaussian gives them {test.gaussian_log_prob.mean:.4g}."
    )


def tables(results: FlowResults) -> list[Table]:
    """Returns the numbers of the page and of the summary."""
    test = results.test
    estimates = {"ELBO": test.elbo} | {f"K = {count}": bound for count, bound in test.log_prob.items()}
    estimates |= {label: getattr(test, name) for name, label in _LIKELIHOOD_ROWS.items()}
    rows = [
        (name, f"{estimate.mean:.4f} ± {estimate.standard_error:.4f}")
        for name, estimate in estimates.items()
        if estimate is not None
    ]
    exactness = [(f"inverse error, {name}", f"{errors.inverse:.1e}") for name, errors in results.map.items()]
    exactness.append(("| |det J| - 1 |, float64", f"{results.map['float64'].volume:.1e}"))
    if test.log_scale is not None:
        name = f"of standardised columns, K = {test.largest_count}"
        rows.append((name, f"{test.tightest.mean + test.log_scale:.4f} ± {test.tightest.standard_error:.4f}"))
    heading = f"Log-likelihood of {test.num_points} test points, nats"
    meaning = _LIKELIHOOD + (_UNKNOWN_DENSITY if test.kl is None else _KNOWN_DENSITY)
    all_tables = [Table(heading, rows, meaning), Table("The map", exactness, _MAP)]
    if minima := results.minima:
        row = (f"modes with a minimum of V within {minima.near}", f"{minima.fraction_of_modes:.0%}")
        all_tables.append(Table("The potential", [row], _MINIMA))
    return all_tables


def print_summary(results: FlowResults) -> None:
    """Prints the numbers of the page."""
    print_tables(tables(results))
