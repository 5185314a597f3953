"""The learned phase space in two dimensions: principal components of rollouts, coloured by learned and true energy."""

from typing import Any, NamedTuple

import jax
import numpy as np
import scipy.stats

from experiments.figures.figure import PaperFigure, System
from experiments.reporting import style
from experiments.reporting.names import pretty
from hgn_jax import data
from hgn_jax.metrics import rollouts as metrics
from hgn_jax.models.hgn import HGN

_NUM_CLIPS = 64
_COLOUR_MAP = "viridis"


class Projection(NamedTuple):
    """Points in the plane of their first two principal components.

    Attributes:
      points: Coordinates in the plane, `[n, 2]`.
      explained: Fraction of the variance along each component, `[2]`.
    """

    points: np.ndarray
    explained: np.ndarray


def principal_components(points: np.ndarray) -> Projection:
    """Projects points `[n, d]` on the two directions of largest variance, whose largest weights are made positive."""
    centred = points - points.mean(axis=0)
    _, sizes, directions = np.linalg.svd(np.asarray(centred, np.float64), full_matrices=False)
    directions = directions[:2]
    largest = np.take_along_axis(directions, np.abs(directions).argmax(axis=1, keepdims=True), axis=1)
    total = max(np.sum(sizes**2), np.finfo(float).tiny)  # equal points have no variance
    return Projection(centred @ (directions * np.sign(largest)).T, sizes[:2] ** 2 / total)


def follow(hgn: HGN, params: Any, clips: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rolls out the states inferred from clips `[clips, frames, size, size, 3]`, to the length of the clips.

    Returns:
      States `[frames, clips, d]`, with all numbers of q and p, and their learned energies `[frames, clips]`.
    """

    @jax.jit
    def measure(params, clips):
        path = hgn.follow(params, clips, clips.shape[1] - 1)
        return path, metrics.energies_along(hgn.hamiltonian(params), path)

    path, energies = measure(params, clips)
    states = [np.asarray(x).reshape(*x.shape[:2], -1) for x in path]
    return np.concatenate(states, axis=-1), np.asarray(energies)


def draw(system: System) -> PaperFigure:
    """Draws rollouts from test clips in the plane of their principal components, in a panel for each energy known."""
    run = system.hgn
    test, num_frames = run.data.splits["test"], run.data.num_frames
    features = ("image", "energy") if "energy" in test[0] else ("image",)
    clips = data.stack(test, range(min(_NUM_CLIPS, len(test))), features)
    clips = {name: values[:, :num_frames] for name, values in clips.items()}
    states, learned = follow(run.model, run.state.params, clips["image"])
    projection = principal_components(states.reshape(-1, states.shape[-1]))
    energies = {"learned energy, arbitrary unit": learned}
    if "energy" in clips:
        energies["true energy, units of the system"] = clips["energy"].T
    figure, axes = style.subplots(1, len(energies), figsize=(6.6 * len(energies), 5.4), squeeze=False)
    for panel, (label, values) in zip(axes[0], energies.items(), strict=True):
        draw_panel(panel, projection, label, values)
    caption = _caption(system.label, states, projection, list(energies.values()))
    title = f"The learned phase space, {pretty(system.name)}"
    return PaperFigure(f"phase_portrait_{system.name}", title, caption, (run.directory.path,), figure)


def draw_panel(axes: Any, projection: Projection, label: str, energies: np.ndarray) -> None:
    """Draws the points of paths coloured by their energies `[frames, clips]`, with rings at the starts of the paths."""
    paths = projection.points.reshape(*energies.shape, 2)
    axes.plot(paths[..., 0], paths[..., 1], color=style.LIGHT_GREY, linewidth=0.5, zorder=1)
    dots = axes.scatter(*projection.points.T, c=energies.ravel(), cmap=_COLOUR_MAP, s=9, zorder=2)
    axes.plot(*paths[0].T, "o", color="black", markersize=5, markerfacecolor="none", zorder=3)
    axes.figure.colorbar(dots, ax=axes, label=label)
    names = [f"principal component {i} ({part:.0%} of the variance)" for i, part in enumerate(projection.explained, 1)]
    axes.set(title=label.partition(",")[0], xlabel=names[0], ylabel=names[1])


def _caption(label: str, states: np.ndarray, projection: Projection, energies: list[np.ndarray]) -> str:
    num_frames, num_clips, dimension = states.shape
    text = (
        f"Rollouts of {label}, {num_frames - 1} steps from the states inferred from {num_clips} test clips. Each dot "
        f"is a state, all {dimension} numbers of (q, p), in the plane of the first two principal components, which "
        f"explain {projection.explained.sum():.0%} of the variance. Grey lines join the states of a rollout; rings "
        "mark the starts. Colours show the learned energy, whose unit is arbitrary"
    )
    if len(energies) == 1:
        return f"{text}. The true energy is not known."
    correlation = scipy.stats.spearmanr(*(values.mean(axis=0) for values in energies)).statistic
    return (
        f"{text} (left), and the true energy of the clip (right). Rank correlation of the two energies over clips: "
        f"{correlation:.2f} (1 if both order the clips in the same way, -1 if in opposite ways)."
    )
