"""Pictures of a flow: Fig. 9 of the paper, densities, samples, the bound, and a movie of the flow."""

import pathlib
from collections.abc import Sequence
from typing import Any

import imageio.v3 as imageio
import jax
import jax.numpy as jnp
import matplotlib
import numpy as np
from matplotlib.figure import Figure

from experiments.nhf.results import Likelihood
from experiments.reporting import style
from hgn_jax.models.densities import Density, gaussian_mixture
from hgn_jax.models.nhf import NHF
from hgn_jax.physics.phase_space import PhaseState
from hgn_jax.whole_files import whole_file

_BANDWIDTH = 0.3  # of the kernel density estimates (App. A.2)
_NUM_PATHS = 150  # shown of the flow
_GRID_SIZE = 120  # points along each side of a picture of a density
_NUM_MOMENTA = 64  # of the importance weighting in the picture of the density
_MOVIE_FRAMES = 60  # approximate number
_STILL_FRAMES = 15  # repetitions of the last frame at the end of the movie


def _grid(half_width: float) -> tuple[np.ndarray, np.ndarray]:
    """Returns the coordinates along a side of a square about the origin, and its points `[n, n, 2]`."""
    axis = np.linspace(-half_width, half_width, _GRID_SIZE, dtype=np.float32)
    return axis, np.stack(np.meshgrid(axis, axis), axis=-1)


def _half_width(*clouds: np.ndarray) -> float:
    """Returns half the side of a square about the origin that holds nearly all of the points."""
    return 1.15 * max(float(np.quantile(np.abs(cloud), 0.995)) for cloud in clouds)


def _kernel_density(samples: np.ndarray, grid: np.ndarray) -> np.ndarray:
    log_prob = gaussian_mixture(samples, _BANDWIDTH).log_prob
    return np.exp(jax.lax.map(log_prob, jnp.asarray(grid)))


def draw_figure_9(nhf: NHF, params: Any, start: PhaseState, observed: np.ndarray) -> Figure:
    """Draws the six panels of the paper's Fig. 9.

    Args:
      nhf: The flow.
      params: Its parameters.
      start: States sampled from the prior, `[n, 2]`.
      observed: Test points, `[n, 2]`.
    """
    path = jax.device_get(nhf.path(params, start))
    half, momenta = _half_width(observed, path.q[-1]), _half_width(path.p)
    axis, grid = _grid(half)
    p_axis, p_grid = _grid(momenta)
    figure, panels = style.subplots(1, 6, figsize=(20, 3.6))
    fields = {
        "target density": (axis, _kernel_density(observed, grid)),
        "learned density": (axis, _kernel_density(path.q[-1], grid)),
        "kinetic energy K(p)": (p_axis, nhf.kinetic(params, p_grid)),
        "potential energy V(q)": (axis, nhf.potential(params, grid)),
    }
    for panel, (title, (ticks, values)) in zip(panels, fields.items(), strict=False):
        image = panel.contourf(ticks, ticks, values, levels=30)
        figure.colorbar(image, ax=panel, shrink=0.7)
        panel.set(title=title, aspect="equal")
    ends = path.q[-1][:_NUM_PATHS]
    colours = matplotlib.colormaps["hsv"]((np.arctan2(ends[:, 1], ends[:, 0]) / (2 * np.pi)) % 1.0)
    for panel, title, stop in ((panels[4], "first leapfrog step", 2), (panels[5], "integrated flow", None)):
        stretch = path.q[:stop, :_NUM_PATHS]
        for i, colour in enumerate(colours):
            panel.plot(*stretch[:, i].T, color=colour, linewidth=0.5)
        panel.scatter(*stretch[-1].T, s=5, c=colours)
        panel.set(title=title, aspect="equal")
    return figure


def draw_densities(nhf: NHF, params: Any, key: jax.Array, density: Density | None, observed: np.ndarray) -> Figure:
    """Draws the density of the target, if it is known, beside the model's, around the test points `[n, 2]`."""
    axis, grid = _grid(_half_width(observed))
    log_prob = jax.jit(lambda row: nhf.log_prob(params, key, row, _NUM_MOMENTA))
    fields = {"model": np.exp([log_prob(row) for row in grid])}
    if density is not None:
        fields = {"target": np.exp(density.log_prob(grid))} | fields
    highest = np.quantile(next(iter(fields.values())), 0.999)
    figure, panels = style.subplots(1, len(fields), figsize=(5 * len(fields), 4), squeeze=False)
    for panel, (title, values) in zip(panels[0], fields.items(), strict=True):
        image = panel.pcolormesh(axis, axis, values, vmin=0.0, vmax=highest)
        panel.set(title=title, aspect="equal")
    figure.colorbar(image, ax=panels[0].tolist(), label="density")
    return figure


def write_movie(path: pathlib.Path, nhf: NHF, params: Any, start: PhaseState, observed: np.ndarray) -> None:
    """Writes a GIF of the positions on their way from the prior to the data, over the test points `[n, 2]`."""
    num_drifts = nhf.path(params, start).q.shape[0] - 1
    positions = np.asarray(nhf.path(params, start, max(1, _MOVIE_FRAMES // num_drifts)).q)
    half = _half_width(observed, positions)
    figure, panel = style.subplots(figsize=(4, 4))
    panel.scatter(*observed.T, s=4, color=style.LIGHT_GREY, linewidths=0)
    dots = panel.scatter(*positions[0].T, s=4, color=style.BLUE, linewidths=0)
    panel.set(xlim=(-half, half), ylim=(-half, half), aspect="equal")
    frames = []
    for i, q in enumerate(positions):
        dots.set_offsets(q)
        panel.set_title(f"{i / (len(positions) - 1):.0%} of the flow")
        figure.canvas.draw()
        frames.append(np.asarray(figure.canvas.buffer_rgba())[..., :3].copy())
    with whole_file(path) as part:
        imageio.imwrite(part, frames + [frames[-1]] * _STILL_FRAMES, duration=60, loop=0)


def draw_samples(observed: np.ndarray, samples: np.ndarray, labels: Sequence[str] | None = None) -> Figure:
    """Draws points `[n, d]`: each of the first four coordinates against the next, or a histogram if there is one."""
    labels = labels or [f"coordinate {i}" for i in range(observed.shape[1])]
    pairs = [(i, i + 1) for i in range(min(observed.shape[1], 4) - 1)] or [(0, 0)]
    figure, panels = style.subplots(1, len(pairs), figsize=(4.5 * len(pairs), 4.2), squeeze=False)
    for panel, (i, j) in zip(panels[0], pairs, strict=True):
        for points, label, colour in ((samples, "samples", style.BLUE), (observed, "test points", style.VERMILION)):
            if i == j:
                panel.hist(points[:, i], bins=40, density=True, alpha=0.6, color=colour, label=label)
            else:
                panel.scatter(points[:, i], points[:, j], s=5, alpha=0.5, color=colour, label=label, linewidths=0)
        half_widths = [_half_width(observed[:, k]) for k in (i, j)]
        panel.set(xlabel=labels[i], xlim=(-half_widths[0], half_widths[0]))
        if i != j:
            panel.set(ylabel=labels[j], ylim=(-half_widths[1], half_widths[1]))
    panels[0, 0].legend(loc="upper right", markerscale=3)
    return figure


def draw_bound(test: Likelihood) -> Figure:
    """Draws the bound against K, beside the target's own log-density or that of a Gaussian."""
    figure, panel = style.subplots(figsize=(5, 3.6))
    counts = [int(count) for count in test.log_prob]
    means, errors = zip(*((bound.mean, bound.standard_error) for bound in test.log_prob.values()), strict=True)
    panel.errorbar(counts, means, errors, marker="o", color=style.BLUE, capsize=2, label="bound")
    references = {"target's own log-density": test.exact_log_prob, "Gaussian fit": test.gaussian_log_prob}
    for label, estimate in references.items():
        if estimate is not None:
            panel.axhline(estimate.mean, color=style.VERMILION, label=label)
    panel.set_xscale("log", base=2)
    panel.set(xlabel="number of momenta per point, K", ylabel="nats per point")
    panel.legend()
    return figure
