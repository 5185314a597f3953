"""The learned phase space in two dimensions: principal components of rollouts, by learned and by true energy."""

import pathlib
from typing import Any, NamedTuple

import jax
import numpy as np
import scipy.stats
from matplotlib import pyplot as plt

from experiments.figures import files as figure_files
from experiments.figures.files import Drawn, pretty
from experiments.run.trainer import Run
from hgn_jax.data import datasets as data
from hgn_jax.metrics import rollouts as metrics
from hgn_jax.models.hgn import HGN

_NUM_CLIPS = 64
_COLOURS = "viridis"


class Projection(NamedTuple):
    """The first two principal components.

    Attributes:
      points: `[n, 2]`.
      explained: the part of the variance that each has, `[2]`.
    """

    points: np.ndarray
    explained: np.ndarray


def principal_components(points: np.ndarray) -> Projection:
    """Projects points `[n, d]` on the two directions of largest variance; the largest weight of each is positive."""
    centred = points - points.mean(axis=0)
    _, sizes, directions = np.linalg.svd(np.asarray(centred, np.float64), full_matrices=False)
    directions = directions[:2]
    largest = np.take_along_axis(directions, np.abs(directions).argmax(axis=1, keepdims=True), axis=1)
    total = max(np.sum(sizes**2), np.finfo(float).tiny)  # points that do not differ have no variance to explain
    return Projection(centred @ (directions * np.sign(largest)).T, sizes[:2] ** 2 / total)


def follow(hgn: HGN, params: Any, clips: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rollouts from the states inferred from clips `[clips, frames, size, size, 3]`, as long as these.

    Returns:
      States `[frames, clips, d]`, all of q and p, and the learned energies `[frames, clips]`.
    """

    @jax.jit
    def measure(params, clips):
        start = hgn.initial_state(params, hgn.infer(params, clips).mean)
        path = hgn.rollout(params, start, clips.shape[1] - 1)
        return path, metrics.energies_along(hgn.hamiltonian(params), path)

    path, energies = measure(params, clips)
    states = [np.asarray(x).reshape(*x.shape[:2], -1) for x in path]
    return np.concatenate(states, axis=-1), np.asarray(energies)


def draw(experiment: Run, label: str, directory: pathlib.Path, system: str) -> Drawn:
    """Draws the rollouts from test clips in the plane of their principal components, once for each energy known."""
    test, num_frames = experiment.data.splits["test"], experiment.data.num_frames
    features = ("image", "energy") if "energy" in test[0] else ("image",)
    clips = {
        name: values[:, :num_frames]
        for name, values in data.stack(test, range(min(_NUM_CLIPS, len(test))), features).items()
    }
    states, learned = follow(experiment.model, experiment.state.params, clips["image"])
    projection = principal_components(states.reshape(-1, states.shape[-1]))
    energies = {"learned energy, arbitrary unit": learned}
    if "energy" in clips:
        energies["true energy, units of the system"] = clips["energy"].T
    name = f"phase_portrait_{system}"
    figure, axes = plt.subplots(
        1, len(energies), figsize=(6.6 * len(energies), 5.4), layout="constrained", squeeze=False
    )
    for panel, (unit, values) in zip(axes[0], energies.items(), strict=True):
        draw_panel(panel, projection, unit, values)
    figure_files.save(figure, directory, name)
    caption = _caption(label, states, projection, list(energies.values()))
    return Drawn(name, f"The learned phase space, {pretty(system)}", caption, (experiment.directory.path,))


def draw_panel(axes: Any, projection: Projection, label: str, energies: np.ndarray) -> None:
    """Points of paths, coloured by an energy `[frames, clips]`, lines along the paths and rings where they start."""
    paths = projection.points.reshape(*energies.shape, 2)
    axes.plot(paths[..., 0], paths[..., 1], color="#bbbbbb", linewidth=0.5, zorder=1)
    dots = axes.scatter(*projection.points.T, c=energies.ravel(), cmap=_COLOURS, s=9, zorder=2)
    axes.plot(*paths[0].T, "o", color="black", markersize=5, markerfacecolor="none", zorder=3)
    axes.figure.colorbar(dots, ax=axes, label=label)
    names = [f"principal component {i} ({part:.0%} of the variance)" for i, part in enumerate(projection.explained, 1)]
    axes.set(title=label.partition(",")[0], xlabel=names[0], ylabel=names[1])


def _caption(label: str, states: np.ndarray, projection: Projection, energies: list[np.ndarray]) -> str:
    num_frames, num_clips, dimension = states.shape
    text = (
        f"Rollouts of {label}, {num_frames - 1} steps from the states inferred from {num_clips} test clips. A dot is a "
        f"state, all {dimension} numbers of (q, p), in the plane of the first two principal components, which have "
        f"{projection.explained.sum():.0%} of the variance; grey lines join those of a rollout, which starts at the "
        "ring. Coloured by the learned energy, whose unit is arbitrary"
    )
    if len(energies) == 1:
        return f"{text}. The true energy is not known."
    correlation = scipy.stats.spearmanr(*(values.mean(axis=0) for values in energies)).statistic
    return (
        f"{text} (left), and by the true energy of the clip (right). Rank correlation of the two energies over clips: "
        f"{correlation:.2f} (1 if the learned energy orders the clips as the true one does, -1 if the other way round)."
    )
