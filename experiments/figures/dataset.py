"""What a data set is, in numbers and in a picture as Fig. 5 of the paper.

Draws the true Hamiltonian over the phase plane, or the distribution of energies where there are more dimensions, beside
clips of the test split, and prints what the data set's splits are like. Of videos, it leaves out what is not known.
"""

import pathlib
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import matplotlib
import numpy as np

from data_builders import datasets
from experiments.reporting import pictures
from hgn_jax.data import datasets as data
from hgn_jax.physics import systems
from hgn_jax.physics.phase_space import PhaseState
from hgn_jax.training.progress import progress_bar

matplotlib.use("agg")
from matplotlib import pyplot as plt  # noqa: E402  (the backend must be chosen first)

_FRAMES_PER_STRIP = 8
_BATCH_SIZE = 50
_GRID = 200  # points along a side of the phase plane
# Of the clips, which go by letters too; Okabe and Ito's, for the colour-blind.
_COLOURS = {"a": "#d55e00", "b": "#56b4e9", "c": "#009e73", "d": "#cc79a7"}
_SPLIT_COLOURS = {"train": "#0072b2", "test": "#e69f00"}
_STATES = ("q", "p", "energy")

# What the metadata know of a split: its name there, what it is called here, and how it is printed.
_KNOWN = (
    ("clipped_fraction", "frames with a clipped disc", "{:.2%}"),
    ("clipped_fraction_noise_free", "the same without noise", "{:.2%}"),
    ("noise_floor_mse", "noise floor, MSE x 1e4", "scaled"),
    ("mean_image_mse", "mean image, MSE x 1e4", "scaled"),
    ("max_relative_energy_error", "largest relative energy error", "{:.1e}"),
)


class Moments(NamedTuple):
    """The mean and standard deviation over all values of a feature."""

    mean: float
    std: float


class Summary(NamedTuple):
    """What is measured of a split.

    Attributes:
      num_examples: how many.
      num_frames: of each.
      moments: of the pixels in [0, 1] (`image`) and of the states, by feature.
      energies: of the first states, `[examples]`; None where it is not known.
      mean_image: `[height, width, 3]` in [0, 1].
    """

    num_examples: int
    num_frames: int
    moments: dict[str, Moments]
    energies: np.ndarray | None
    mean_image: np.ndarray


def summarise(source: Sequence[Mapping[str, Any]], label: str) -> Summary:
    """Reads a split from end to end, with a progress bar called `label`."""
    first = source[0]
    names = [name for name in ("image", *_STATES) if name in first]
    sums, squares, image_sum, energies = dict.fromkeys(names, 0.0), dict.fromkeys(names, 0.0), 0.0, []
    with progress_bar(len(source), f"reading {label}", "clip") as bar:
        for start in range(0, len(source), _BATCH_SIZE):
            batch = data.stack(source, range(start, min(start + _BATCH_SIZE, len(source))), names)
            batch["image"] = batch["image"] / 255.0
            for name in names:
                sums[name] += batch[name].sum(dtype=np.float64)
                squares[name] += np.square(batch[name], dtype=np.float64).sum()
            image_sum = image_sum + batch["image"].sum(axis=(0, 1))
            energies += list(batch["energy"][:, 0]) if "energy" in batch else []
            bar.update(len(batch["image"]))
    moments = {name: _moments(sums[name], squares[name], len(source) * np.size(first[name])) for name in names}
    mean_image = image_sum / (len(source) * len(first["image"]))
    return Summary(len(source), len(first["image"]), moments, np.array(energies) if energies else None, mean_image)


def _moments(total: float, squares: float, count: int) -> Moments:
    mean = total / count
    return Moments(float(mean), float(np.sqrt(max(squares / count - mean**2, 0.0))))


def table(summaries: Mapping[str, Summary], metadata: Mapping[str, Any]) -> list[tuple[str, list[str]]]:
    """The rows that are printed: what it is, and its value in each split, `unknown` where nothing tells it."""
    rows = [
        ("trajectories", [str(summary.num_examples) for summary in summaries.values()]),
        ("frames of each", [str(summary.num_frames) for summary in summaries.values()]),
    ]
    for feature, name in {"image": "pixels in [0, 1]", "q": "q", "p": "p", "energy": "energy"}.items():
        moments = [summary.moments.get(feature) for summary in summaries.values()]
        rows.append((f"{name}, mean ± std", [f"{m.mean:.4f} ± {m.std:.4f}" if m else "unknown" for m in moments]))
    for entry, name, style in _KNOWN:
        values = [metadata.get("splits", {}).get(split, {}).get(entry) for split in summaries]
        rows.append((name, ["unknown" if value is None else _format(value, style) for value in values]))
    return rows


def _format(value: float, style: str) -> str:
    return f"{value * 1e4:.2f}" if style == "scaled" else style.format(value)


def draw(
    path: pathlib.Path,
    name: str,
    metadata: Mapping[str, Any],
    summaries: Mapping[str, Summary],
    clips: Sequence[Mapping[str, Any]],
) -> None:
    """Draws the picture of a data set.

    Args:
      path: of the picture.
      name: of the data set.
      metadata: of it.
      summaries: of its splits.
      clips: the examples of the test split that are shown.
    """
    times = pictures.frame_numbers(len(clips[0]["image"]), _FRAMES_PER_STRIP)
    figure, (left, right) = plt.subplots(
        1, 2, figsize=(13, 4.6), width_ratios=(1, 1.75), layout="constrained", gridspec_kw={"wspace": 0.03}
    )
    pictures.show_strips(right, [clip["image"][times] / 255.0 for clip in clips], list(_COLOURS)[: len(clips)], times)
    right.set_title("clips of the test split")
    if "dt" in metadata:
        right.set_xlabel(f"step, of {metadata['dt']:g} in time")
    for label, colour in zip(right.get_yticklabels(), _COLOURS.values(), strict=False):
        label.set(fontweight="bold", bbox=_tag(colour))
    caption = _draw_left(left, metadata, summaries, clips)
    figure.suptitle(name)
    figure.supxlabel(caption, fontsize="medium", wrap=True)
    pictures.save(figure, path)


def _tag(colour: str) -> dict[str, Any]:
    """The box around a clip's letter."""
    return {"facecolor": colour, "edgecolor": "white", "pad": 2.0}


def _draw_left(axes: Any, metadata, summaries, clips) -> str:
    """Draws what is known of the physics, and returns the caption."""
    if "energy" not in clips[0]:
        axes.imshow(np.clip(summaries["train"].mean_image, 0, 1), interpolation="nearest")
        axes.set_title("mean image of the training split")
        axes.set_axis_off()
        return "Videos: their true states and energies are not known."
    caption = f"Observation noise {metadata['observation_noise']:g}. {_describe_constants(metadata)}"
    if clips[0]["q"].shape[-1] == 1:
        _draw_phase_plane(axes, metadata, clips)
        return (
            f"Left: the true Hamiltonian, and on it the noise-free paths of the clips, each from its letter. {caption}"
        )
    _draw_energies(axes, summaries, clips)
    return f"Left: the energies that trajectories start with, those of the clips as lines. {caption}"


def _describe_constants(metadata: Mapping[str, Any]) -> str:
    ranges = metadata.get("constant_ranges") or {}
    parts = [f"{name} = {value:g}" for name, value in metadata["constants"].items() if name not in ranges]
    parts += [f"{name} drawn from {low:g} to {high:g}" for name, (low, high) in ranges.items()]
    friction = [f"friction {metadata['damping']:g}"] if metadata.get("damping") else []
    return ", ".join(parts + friction) + "."


def _draw_phase_plane(axes: Any, metadata, clips) -> None:
    """The Hamiltonian with the constants of the configuration, and the paths; angles are brought to -pi to pi."""
    system = systems.get_system(metadata["system"], **metadata["constants"])
    angle = metadata["canvas"]["layout"] == "pendulum"
    paths = [_path(clip["q"][:, 0], clip["p"][:, 0], angle) for clip in clips]
    q_reach, p_reach = (1.15 * max(np.nanmax(np.abs(path[i])) for path in paths) for i in (0, 1))
    q_reach = min(q_reach, np.pi) if angle else q_reach
    q, p = np.meshgrid(np.linspace(-q_reach, q_reach, _GRID), np.linspace(-p_reach, p_reach, _GRID))
    energy = np.asarray(system.hamiltonian(PhaseState(q[..., None], p[..., None])))
    filled = axes.contourf(q, p, energy, levels=20, cmap="cividis")
    axes.figure.colorbar(filled, ax=axes, label="energy H(q, p), units of the system")
    for path, (letter, colour) in zip(paths, _COLOURS.items(), strict=False):
        axes.plot(*path, color="white", linewidth=3.5)
        axes.plot(*path, color=colour, linewidth=2)
        axes.text(path[0][0], path[1][0], letter, ha="center", va="center", fontweight="bold", bbox=_tag(colour))
    names = ", ".join(f"{name} = {metadata['constants'][name]:g}" for name in metadata.get("constant_ranges") or {})
    axes.set(
        title=f"true Hamiltonian at {names}" if names else "true Hamiltonian",
        xlabel="angle q from hanging, radians" if angle else "position q, units of the system",
        ylabel="momentum p, units of the system",
    )


def _path(q: np.ndarray, p: np.ndarray, angle: bool) -> tuple[np.ndarray, np.ndarray]:
    """A path in the phase plane; that of an angle is broken where it goes over the top."""
    if not angle:
        return q, p
    wrapped = (q + np.pi) % (2 * np.pi) - np.pi
    breaks = 1 + np.flatnonzero(np.abs(np.diff(wrapped)) > np.pi)
    return np.insert(wrapped, breaks, np.nan), np.insert(p, breaks, np.nan)


def _draw_energies(axes: Any, summaries, clips) -> None:
    energies = {split: summary.energies for split, summary in summaries.items()}
    edges = np.histogram_bin_edges(np.concatenate(list(energies.values())), bins=40)
    for split, values in energies.items():
        axes.hist(
            values, edges, density=True, histtype="step", linewidth=2, label=split, color=_SPLIT_COLOURS.get(split)
        )
    for i, (clip, (letter, colour)) in enumerate(zip(clips, _COLOURS.items(), strict=False)):
        axes.axvline(clip["energy"][0], color=colour, linewidth=2, linestyle="--")
        place, transform = (clip["energy"][0], 0.96 - 0.08 * i), axes.get_xaxis_transform()
        axes.text(*place, letter, ha="center", va="top", fontweight="bold", bbox=_tag(colour), transform=transform)
    axes.set(
        title="energies", xlabel="energy of the first state, units of the system", ylabel="density, per unit of energy"
    )
    axes.legend()


def show(name: str, config: Any, data_dir: str | None, output: pathlib.Path) -> pathlib.Path:
    """Builds a data set if it is missing, prints its numbers and draws its picture.

    Args:
      name: a name in `data_builders.datasets.NAMES`.
      config: a configuration of it, or the name of one.
      data_dir: root of the data sets; None for TFDS's.
      output: directory of the picture.

    Returns:
      The path of the picture, `<name>_<configuration>.png`.
    """
    path = datasets.ensure_built(name, config, data_dir)
    splits, metadata = data.open_dataset(path)
    summaries = {split: summarise(splits[split], f"{name} {split}") for split in ("train", "test")}
    full_name = f"{name}/{path.parent.name}"
    print(f"\n{full_name}\n{'':<32}" + "".join(f"{split:>22}" for split in summaries))
    for row, values in table(summaries, metadata):
        print(f"{row:<32}" + "".join(f"{value:>22}" for value in values))
    picture = output / f"{name}_{path.parent.name}.png"
    clips = splits["test"].__getitems__(range(min(len(_COLOURS), len(splits["test"]))))
    draw(picture, full_name, metadata, summaries, clips)
    return picture
