"""Fig. 5 of the paper: clips of a data set, beside its true Hamiltonian or the distribution of its energies."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from experiments.figures.dataset_summary import Summary, summarise
from experiments.figures.figure import PaperFigure, System
from experiments.reporting import pictures, style
from experiments.reporting.names import pretty
from hgn_jax.physics import systems
from hgn_jax.physics.phase_space import PhaseState

_MAX_FRAMES = 8
_GRID = 200  # points along each side of the phase plane
_CLIP_COLOURS = {"a": style.VERMILION, "b": style.SKY, "c": style.GREEN, "d": style.PURPLE}  # by letter
_SPLIT_COLOURS = {"train": style.BLUE, "test": style.ORANGE}


def draw(system: System) -> PaperFigure:
    """Draws the data set of a run."""
    splits, metadata = system.hgn.data
    summaries = {split: summarise(splits[split], f"{system.name} {split}") for split in ("train", "test")}
    figure, caption = draw_dataset(pretty(system.name), metadata, summaries, shown_clips(splits["test"]))
    title = f"Figure 5: the data, {pretty(system.name)}"
    path = system.hgn.directory.path
    return PaperFigure(f"figure_5_{system.name}", title, f"The data set of the run. {caption}", (path,), figure)


def shown_clips(source: Any) -> Sequence[Mapping[str, Any]]:
    """Returns the first examples of a split, which are shown."""
    return source.__getitems__(range(min(len(_CLIP_COLOURS), len(source))))


def draw_dataset(
    title: str,
    metadata: Mapping[str, Any],
    summaries: Mapping[str, Summary],
    clips: Sequence[Mapping[str, Any]],
) -> tuple[Figure, str]:
    """Draws a data set.

    Args:
      title: Title of the picture.
      metadata: Metadata of the data set.
      summaries: Summaries of its splits, by name.
      clips: Examples of the test split that are shown.

    Returns:
      The picture, and its caption, which it has below it too.
    """
    times = pictures.frame_numbers(len(clips[0]["image"]), _MAX_FRAMES)
    figure, (left, right) = style.subplots(
        1, 2, figsize=(13, 4.6), width_ratios=(1, 1.75), gridspec_kw={"wspace": 0.03}
    )
    letters = list(_CLIP_COLOURS)[: len(clips)]
    pictures.draw_strips(right, [clip["image"][times] / 255.0 for clip in clips], letters, times)
    right.set_title("clips of the test split")
    if "dt" in metadata:
        right.set_xlabel(f"step, of {metadata['dt']:g} in time")
    for label, colour in zip(right.get_yticklabels(), _CLIP_COLOURS.values(), strict=False):
        label.set(fontweight="bold", bbox=_letter_box(colour))
    if "energy" not in clips[0]:
        _draw_mean_image(left, summaries["train"].mean_image)
        content = "the mean image of the training split; the true states and energies of videos are not known"
    elif clips[0]["q"].shape[-1] == 1:
        _draw_phase_plane(left, metadata, clips)
        content = "the true Hamiltonian over the phase plane, and the noise-free paths of the clips from their letters"
    else:
        _draw_energies(left, summaries, clips)
        content = "energies at the start of the trajectories; those of the clips are marked by their letters"
    caption = f"Left: {content}. Right: clips of the test split.{_describe_physics(metadata)}"
    figure.suptitle(title)
    figure.supxlabel(caption, fontsize="medium", wrap=True)
    return figure, caption


def _letter_box(colour: str) -> dict[str, Any]:
    return {"facecolor": colour, "edgecolor": "white", "pad": 2.0}


def _describe_physics(metadata: Mapping[str, Any]) -> str:
    """Returns a sentence about noise and constants, empty for videos."""
    if "constants" not in metadata:
        return ""
    ranges = metadata.get("constant_ranges") or {}
    parts = [f"{name} = {value:g}" for name, value in metadata["constants"].items() if name not in ranges]
    parts += [f"{name} drawn from {low:g} to {high:g}" for name, (low, high) in ranges.items()]
    parts += [f"friction {metadata['damping']:g}"] if metadata.get("damping") else []
    return f" Observation noise {metadata['observation_noise']:g}; {', '.join(parts)}."


def _draw_mean_image(axes: Any, mean_image: np.ndarray) -> None:
    axes.imshow(np.clip(mean_image, 0, 1), interpolation="nearest")
    axes.set_title("mean image of the training split")
    axes.set_axis_off()


def _draw_phase_plane(axes: Any, metadata: Mapping[str, Any], clips: Sequence[Mapping[str, Any]]) -> None:
    """Draws the Hamiltonian for the constants of the configuration, and the paths; angles are taken modulo 2π."""
    system = systems.get_system(metadata["system"], **metadata["constants"])
    angle = metadata["canvas"]["layout"] == "pendulum"
    paths = [_path(clip["q"][:, 0], clip["p"][:, 0], angle) for clip in clips]
    q_reach, p_reach = (1.15 * max(np.nanmax(np.abs(path[i])) for path in paths) for i in (0, 1))
    q_reach = min(q_reach, np.pi) if angle else q_reach
    q, p = np.meshgrid(np.linspace(-q_reach, q_reach, _GRID), np.linspace(-p_reach, p_reach, _GRID))
    energy = np.asarray(system.hamiltonian(PhaseState(q[..., None], p[..., None])))
    filled = axes.contourf(q, p, energy, levels=20, cmap="cividis")
    axes.figure.colorbar(filled, ax=axes, label="energy H(q, p), units of the system")
    for path, (letter, colour) in zip(paths, _CLIP_COLOURS.items(), strict=False):
        axes.plot(*path, color="white", linewidth=3.5)
        axes.plot(*path, color=colour, linewidth=2)
        _write_letter(axes, path[0][0], path[1][0], letter, va="center")
    names = ", ".join(f"{name} = {metadata['constants'][name]:g}" for name in metadata.get("constant_ranges") or {})
    axes.set(
        title=f"true Hamiltonian at {names}" if names else "true Hamiltonian",
        xlabel="angle q from hanging, radians" if angle else "position q, units of the system",
        ylabel="momentum p, units of the system",
    )


def _path(q: np.ndarray, p: np.ndarray, angle: bool) -> tuple[np.ndarray, np.ndarray]:
    """Returns a path in the phase plane; the path of an angle is broken where it passes ±π."""
    if not angle:
        return q, p
    wrapped = (q + np.pi) % (2 * np.pi) - np.pi
    breaks = 1 + np.flatnonzero(np.abs(np.diff(wrapped)) > np.pi)
    return np.insert(wrapped, breaks, np.nan), np.insert(p, breaks, np.nan)


def _draw_energies(axes: Any, summaries: Mapping[str, Summary], clips: Sequence[Mapping[str, Any]]) -> None:
    energies = {split: summary.energies for split, summary in summaries.items()}
    edges = np.histogram_bin_edges(np.concatenate(list(energies.values())), bins=40)
    for split, values in energies.items():
        axes.hist(
            values, edges, density=True, histtype="step", linewidth=2, label=split, color=_SPLIT_COLOURS.get(split)
        )
    for i, (clip, (letter, colour)) in enumerate(zip(clips, _CLIP_COLOURS.items(), strict=False)):
        axes.axvline(clip["energy"][0], color=colour, linewidth=2, linestyle="--")
        height = 0.96 - 0.08 * i
        _write_letter(axes, clip["energy"][0], height, letter, va="top", transform=axes.get_xaxis_transform())
    axes.set(
        title="energies", xlabel="energy of the first state, units of the system", ylabel="density, per unit of energy"
    )
    axes.legend()


def _write_letter(axes: Any, x: float, y: float, letter: str, **kwargs: Any) -> None:
    axes.text(x, y, letter, ha="center", fontweight="bold", bbox=_letter_box(_CLIP_COLOURS[letter]), **kwargs)
