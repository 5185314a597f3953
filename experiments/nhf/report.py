"""What a run of a Neural Hamiltonian Flow leaves to look at: Fig. 9 of the paper, a movie, curves, a page of them."""

import pathlib
from typing import Any

import imageio.v3 as imageio
import jax
import jax.numpy as jnp
import numpy as np
from matplotlib import pyplot as plt

from experiments.reporting.page import Picture, Table, print_tables, write_page
from experiments.reporting.pictures import draw_training, save
from experiments.run.provenance import provenance
from experiments.run.results import Results, to_json
from experiments.run.trainer import Run
from experiments.tasks import Evaluation
from hgn_jax.models.densities import Density, gaussian_mixture
from hgn_jax.models.nhf import NHF
from hgn_jax.physics.phase_space import PhaseState
from hgn_jax.training.logs import read_metrics

_NUM_SAMPLES = 1000  # of the kernel density estimates and the movie (App. A.2)
_BANDWIDTH = 0.3
_NUM_PATHS = 150
_GRID_SIZE = 120
_FRAMES = 60  # of the movie, about
_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7")

_LEAD = (
    "A Neural Hamiltonian Flow moves samples of a simple prior along Hamilton's equations of learned energies until "
    "their positions have the density of the data. Each step has an exact inverse and keeps volume, so densities need "
    "no Jacobian determinant; the momenta are latent, so the likelihood is bounded from below by sampling them."
)
_PICTURES = (
    Picture(
        "figure9.png",
        "The learned flow",
        "Fig. 9 of the paper for this run. Kernel density estimates of 1000 test points and 1000 samples (bandwidth "
        "0.3), which should look alike; kinetic energy K(p) and potential energy V(q), averaged over the links of the "
        "flow; the first leapfrog step and the whole flow of samples of the prior, as lines that end in dots, coloured "
        "by where they end.",
    ),
    Picture(
        "density.png",
        "Density",
        "The density of the target, where it is known, and of the model by importance weighting, whose noise stands "
        "out as single pixels. The colours end near the largest value of the first panel.",
    ),
    Picture(
        "flow.gif", "The flow in motion", "Samples of the prior on their way through the flow, over grey test points."
    ),
    Picture(
        "samples.png", "Samples", "Test points and samples of the model, by pairs of coordinates; they should mingle."
    ),
    Picture(
        "bound.png",
        "The bound",
        "The importance-weighted bound on the log-likelihood of the test points against the number K of momenta: "
        "higher is tighter, K = 1 is the ELBO. Bars are standard errors over the points, which all K "
        "share.",
    ),
    Picture(
        "training.png",
        "Training",
        "Over the steps: the bound, which training raises; the log-density of the prior at s_0; and the entropy of "
        "f(p|q), the distribution of the momenta.",
    ),
)
_CURVES = {"bound": "bound, nats per point", "log_prior": "E ln π(s₀), nats", "entropy": "entropy of f(p|q), nats"}
_LIKELIHOOD = (
    "Mean over test points ± its standard error, in nats; higher is better. The ELBO is the bound of one momentum; "
    "with more momenta, K, it comes closer to the log-likelihood itself."
)
_KNOWN = (
    " On average no model can pass the target's own log-density. KL is how far the model falls short of it, and how "
    "far a Gaussian of the same moments does; lower is better, 0 is perfect."
)
_UNKNOWN = " The Gaussian fitted to the training rows is what a flow must beat."
_MAP = (
    "Largest error of the flow's inverse and largest departure of its volume from 1, at samples of the prior. Both are "
    "0 in exact arithmetic; what is left is rounding. Lower is better."
)
_MINIMA = "Each mode of the target is a well of the potential in the paper's Fig. 9: 100% is every mode."


def write(flow: Run, evaluation: Evaluation) -> None:
    """Draws the pictures of a run into its `report/`, and the page that shows them."""
    results, directory = to_json(evaluation.results), flow.directory.report
    directory.mkdir(exist_ok=True)
    nhf, params, points = flow.model, flow.state.params, flow.data
    key = jax.random.PRNGKey(flow.config.evaluation.seed)
    start = nhf.sample_prior(params, key, _NUM_SAMPLES)
    observed = points.test[:_NUM_SAMPLES]
    draw_samples(directory / "samples.png", observed, np.asarray(nhf.push_forward(params, start).q))
    draw_bound(directory / "bound.png", results["test"])
    draw_training(
        directory / "training.png", read_metrics(flow.directory.path / "metrics.csv"), _CURVES, logarithmic=False
    )
    if observed.shape[1] == 2:
        draw_figure9(directory / "figure9.png", nhf, params, start, observed)
        draw_densities(directory / "density.png", nhf, params, key, points.density, observed)
        write_movie(directory / "flow.gif", nhf, params, start, observed)
    lead, origin = (_LEAD, _describe(results)), provenance(flow.directory, evaluation.results.run)
    write_page(directory, f"Neural Hamiltonian Flow: {flow.config.preset}", lead, _tables(results), _PICTURES, origin)


def _grid(half_width: float) -> tuple[np.ndarray, np.ndarray]:
    axis = np.linspace(-half_width, half_width, _GRID_SIZE, dtype=np.float32)
    return axis, np.stack(np.meshgrid(axis, axis), axis=-1)


def _half_width(*clouds: np.ndarray) -> float:
    """Half the side of a square that holds nearly all the points."""
    return 1.15 * max(float(np.quantile(np.abs(cloud), 0.995)) for cloud in clouds)


def _kernel_density(samples: np.ndarray, grid: np.ndarray) -> np.ndarray:
    log_prob = gaussian_mixture(samples, _BANDWIDTH).log_prob
    return np.exp(jax.lax.map(log_prob, jnp.asarray(grid)))


def draw_figure9(path: pathlib.Path, nhf: NHF, params, start: PhaseState, observed: np.ndarray) -> None:
    """The six panels of the paper's Fig. 9; `start` are states of the prior, `observed` test points `[n, 2]`."""
    way = jax.device_get(nhf.path(params, start))
    half, momenta = _half_width(observed, way.q[-1]), _half_width(way.p)
    axis, grid = _grid(half)
    p_axis, p_grid = _grid(momenta)
    figure, panels = plt.subplots(1, 6, figsize=(20, 3.6), layout="constrained")
    fields = {
        "target density": (axis, _kernel_density(observed, grid)),
        "learned density": (axis, _kernel_density(way.q[-1], grid)),
        "kinetic energy K(p)": (p_axis, nhf.kinetic(params, p_grid)),
        "potential energy V(q)": (axis, nhf.potential(params, grid)),
    }
    for panel, (title, (ticks, values)) in zip(panels, fields.items(), strict=False):
        image = panel.contourf(ticks, ticks, values, levels=30)
        figure.colorbar(image, ax=panel, shrink=0.7)
        panel.set(title=title, aspect="equal")
    ends = way.q[-1][:_NUM_PATHS]
    colours = plt.get_cmap("hsv")((np.arctan2(ends[:, 1], ends[:, 0]) / (2 * np.pi)) % 1.0)
    for panel, title, stop in ((panels[4], "first leapfrog step", 2), (panels[5], "integrated flow", None)):
        stretch = way.q[:stop, :_NUM_PATHS]
        for i, colour in enumerate(colours):
            panel.plot(*stretch[:, i].T, color=colour, linewidth=0.5)
        panel.scatter(*stretch[-1].T, s=5, c=colours)
        panel.set(title=title, aspect="equal")
    save(figure, path)


def draw_densities(
    path: pathlib.Path, nhf: NHF, params, key: jax.Array, density: Density | None, observed: np.ndarray
) -> None:
    """The density of the target beside that of the model, on a grid about the test points `observed`."""
    axis, grid = _grid(_half_width(observed))
    row = jax.jit(lambda x: nhf.log_prob(params, key, x, 64))
    fields = {"model": np.exp([row(x) for x in grid])}
    if density is not None:
        fields = {"target": np.exp(density.log_prob(grid))} | fields
    highest = np.quantile(next(iter(fields.values())), 0.999)
    figure, panels = plt.subplots(1, len(fields), figsize=(5 * len(fields), 4), layout="constrained", squeeze=False)
    for panel, (title, values) in zip(panels[0], fields.items(), strict=True):
        image = panel.pcolormesh(axis, axis, values, vmin=0.0, vmax=highest)
        panel.set(title=title, aspect="equal")
    figure.colorbar(image, ax=panels[0].tolist(), label="density")
    save(figure, path)


def write_movie(path: pathlib.Path, nhf: NHF, params, start: PhaseState, observed: np.ndarray) -> None:
    """A GIF of the positions on their way from the prior, over the test points they should come to lie on."""
    num_drifts = nhf.path(params, start).q.shape[0] - 1
    positions = np.asarray(nhf.path(params, start, max(1, _FRAMES // num_drifts)).q)
    half = _half_width(observed, positions)
    figure, panel = plt.subplots(figsize=(4, 4), layout="constrained")
    panel.scatter(*observed.T, s=4, color="#cccccc", linewidths=0)
    dots = panel.scatter(*positions[0].T, s=4, color=_COLOURS[0], linewidths=0)
    panel.set(xlim=(-half, half), ylim=(-half, half), aspect="equal")
    frames = []
    for i, q in enumerate(positions):
        dots.set_offsets(q)
        panel.set_title(f"{i / (len(positions) - 1):.0%} of the flow")
        figure.canvas.draw()
        frames.append(np.asarray(figure.canvas.buffer_rgba())[..., :3].copy())
    plt.close(figure)
    frames += [frames[-1]] * 15
    imageio.imwrite(path, frames, duration=60, loop=0)


def draw_samples(path: pathlib.Path, observed: np.ndarray, samples: np.ndarray) -> None:
    """Scatter of up to four coordinates, each against the next; of one coordinate, histograms."""
    pairs = [(i, i + 1) for i in range(min(observed.shape[1], 4) - 1)] or [(0, 0)]
    figure, panels = plt.subplots(1, len(pairs), figsize=(4.5 * len(pairs), 4.2), layout="constrained", squeeze=False)
    for panel, (i, j) in zip(panels[0], pairs, strict=True):
        for points, label, colour in ((samples, "samples", _COLOURS[0]), (observed, "test points", _COLOURS[1])):
            if i == j:
                panel.hist(points[:, i], bins=40, density=True, alpha=0.6, color=colour, label=label)
            else:
                panel.scatter(points[:, i], points[:, j], s=5, alpha=0.5, color=colour, label=label, linewidths=0)
        half_widths = [_half_width(observed[:, k]) for k in (i, j)]
        panel.set(xlabel=f"coordinate {i}", xlim=(-half_widths[0], half_widths[0]))
        if i != j:
            panel.set(ylabel=f"coordinate {j}", ylim=(-half_widths[1], half_widths[1]))
    panels[0, 0].legend(loc="upper right", markerscale=3)
    save(figure, path)


def draw_bound(path: pathlib.Path, test: dict[str, Any]) -> None:
    """The bound against K, with the exact log-density or the Gaussian of the reference row as a line."""
    figure, panel = plt.subplots(figsize=(5, 3.6), layout="constrained")
    counts = [int(count) for count in test["log_prob"]]
    means, errors = zip(*((row["mean"], row["standard_error"]) for row in test["log_prob"].values()), strict=True)
    panel.errorbar(counts, means, errors, marker="o", color=_COLOURS[0], capsize=2, label="bound")
    for key, label in (("exact_log_prob", "target's own log-density"), ("gaussian_log_prob", "Gaussian fit")):
        if key in test:
            panel.axhline(test[key]["mean"], color=_COLOURS[1], label=label)
    panel.set_xscale("log", base=2)
    panel.set(xlabel="momenta per point, K", ylabel="nats per point")
    panel.legend()
    save(figure, path)


def _describe(results: dict[str, Any]) -> str:
    test, steps = results["test"], results["run"]["steps"]
    if "kl" in test:
        kl, gaussian = test["kl"]["mean"], test["gaussian_kl"]["mean"]
        return (
            f"After {steps} steps this one is {kl:.3g} nats from its target; a Gaussian is {gaussian:.3g} nats from it."
        )
    bound, gaussian = list(test["log_prob"].values())[-1]["mean"], test["gaussian_log_prob"]["mean"]
    return (
        f"After {steps} steps this one gives a test point {bound:.4g} nats; a fitted Gaussian gives it {gaussian:.4g}."
    )


def _tables(results: dict[str, Any]) -> list[Table]:
    """The numbers of the page."""
    test = results["test"]
    known = "kl" in test
    likelihood = {"ELBO": test["elbo"]} | {f"K = {count}": value for count, value in test["log_prob"].items()}
    labels = {
        "exact_log_prob": "the target's own log-density",
        "kl": "KL(target || model), from the largest K",
        "gaussian_kl": "KL(target || Gaussian of its moments)",
        "gaussian_log_prob": "Gaussian fit",
    }
    likelihood |= {label: test[key] for key, label in labels.items() if key in test}
    rows = {name: (f"{value['mean']:.4f} ± {value['standard_error']:.4f}",) for name, value in likelihood.items()}
    exactness = {f"inverse error, {name}": (f"{errors['inverse']:.1e}",) for name, errors in results["map"].items()}
    exactness["| |det J| - 1 |, float64"] = (f"{results['map']['float64']['volume']:.1e}",)
    heading = f"Log-likelihood of {test['num_points']} test points, nats"
    tables = [Table(heading, rows, _LIKELIHOOD + (_KNOWN if known else _UNKNOWN)), Table("The map", exactness, _MAP)]
    if "minima" in results:
        minima = results["minima"]
        row = {f"modes with a minimum of V within {minima['near']}": (f"{minima['fraction_of_modes']:.0%}",)}
        tables.append(Table("The potential", row, _MINIMA))
    return tables


def print_summary(results: Results) -> None:
    """Prints the numbers of the page."""
    print_tables(_tables(to_json(results)))
