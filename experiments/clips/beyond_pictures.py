"""Pictures of a model beyond the clip: skill against time, re-encoded states, periods, energies of samples, frames."""

import pathlib

import numpy as np
from matplotlib.figure import Figure

from experiments.clips.beyond import BeyondShown
from experiments.clips.oscillation import Oscillation
from experiments.clips.sampled_states import SampledStates
from experiments.reporting import style
from experiments.reporting.pictures import draw_strips, frame_numbers, write_movie

_MAX_FRAMES = 13  # in a strip
_MAX_MOVIE_FRAMES = 91
_MARK = 2  # height in pixels of the bar above a frame that tells whether the model has seen it
_SEEN, _UNSEEN = (0.0, 0.45, 0.7), (0.8, 0.8, 0.8)
_LOWEST_SKILL = -0.5  # at the bottom of the picture


def write_beyond(directory: pathlib.Path, shown: BeyondShown, model: str) -> None:
    """Writes the pictures and a movie of predictions beyond the clip."""
    figures = {
        "beyond_skill.png": draw_skill(shown),
        "beyond_frames.png": draw_frames(shown, model),
        "reencoding.png": draw_reencoding(shown) if len(shown.inferred) else None,
        "periods.png": draw_periods(shown.oscillation) if shown.oscillation and shown.oscillation.swings else None,
        "sample_energies.png": draw_energies(shown.samples) if shown.samples else None,
    }
    style.save_all(directory, figures)
    if len(shown.skill) > shown.clip[1] - shown.clip[0]:
        _write_movie(directory / "beyond_frames.gif", shown)


def draw_skill(shown: BeyondShown) -> Figure:
    """Draws the skill and the relative error of each frame, from the far past to the far future of the clip."""
    figure, axes = style.subplots(2, 1, figsize=(10, 6), sharex=True)
    times = np.arange(len(shown.skill)) - shown.clip[0]
    first, last = (time - shown.clip[0] for time in shown.window)
    for panel in axes:
        panel.axvspan(first - 0.5, last - 0.5, color=style.SKY, alpha=0.4, label="frames that the model sees")
        for end in (-0.5, shown.clip[1] - shown.clip[0] - 0.5):
            panel.axvline(end, color=style.GREY, linestyle=":", label="ends of the clip" if end < 0 else None)
    axes[0].plot(times, np.maximum(shown.skill, _LOWEST_SKILL), color=style.BLUE, label="model")
    axes[1].plot(times, style.positive(1.0 - shown.skill), color=style.BLUE)
    for (name, skill), line in zip(shown.divergence.items(), ("--", "-.", ":"), strict=False):
        axes[0].plot(times, np.maximum(skill, _LOWEST_SKILL), line, color=style.DARK_GREY, label=name)
        axes[1].plot(times, style.positive(1.0 - skill), line, color=style.DARK_GREY)
    axes[0].axhline(shown.threshold, color=style.VERMILION, linestyle="--", label=f"threshold, {shown.threshold:g}")
    axes[0].axhline(0.0, color=style.BLACK, linewidth=0.8, label="the mean image")
    axes[1].axhline(1.0 - shown.threshold, color=style.VERMILION, linestyle="--")
    axes[1].axhline(1.0, color=style.BLACK, linewidth=0.8)
    axes[0].set(ylabel="skill", ylim=(_LOWEST_SKILL - 0.05, 1.05))
    axes[1].set(ylabel="error / error of the mean image", yscale="log", xlabel="step; the clip begins at 0")
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=3)
    return figure


def draw_frames(shown: BeyondShown, model: str) -> Figure:
    """Draws frames of long clips, evenly spaced in time: true ones, and below them the predicted ones."""
    chosen = frame_numbers(shown.targets.shape[1], _MAX_FRAMES)
    clips = [clip[chosen] for pair in zip(shown.targets, shown.images, strict=True) for clip in pair]
    labels = ["true", model] * len(shown.targets)
    seen = [shown.window[0] <= time < shown.window[1] for time in chosen]
    times = [f"{time - shown.clip[0]}{'*' if mark else ''}" for time, mark in zip(chosen, seen, strict=True)]
    height, width = (n * size for n, size in zip((len(clips), len(chosen)), clips[0].shape[1:3], strict=True))
    figure, axes = style.subplots(figsize=(11, 11 * height / width + 0.8))
    draw_strips(axes, clips, labels, times, (1, 5))
    axes.set(xlabel="step; the clip begins at 0, and * marks frames that the model has seen")
    return figure


def _write_movie(path: pathlib.Path, shown: BeyondShown) -> None:
    """Writes a movie of long clips: true ones, and below them the predicted ones; a bar is blue while they are seen."""
    chosen = frame_numbers(shown.targets.shape[1], _MAX_MOVIE_FRAMES)
    seen = (chosen >= shown.window[0]) & (chosen < shown.window[1])
    colours = np.where(seen[:, None], _SEEN, _UNSEEN)
    rows = []
    for images in (shown.targets, shown.images):
        images = images[:, chosen]
        bar = np.broadcast_to(colours[:, None, None], (*images.shape[:2], _MARK, *images.shape[3:]))
        rows.append(np.concatenate([bar, images], axis=2))
    write_movie(path, rows)


def draw_reencoding(shown: BeyondShown) -> Figure:
    """Draws states rolled out to other windows against the states inferred there, along two axes."""
    number = shown.inferred.shape[1]
    figure, axes = style.subplots(1, number, figsize=(4.5 * number, 4), squeeze=False)
    for axis, (panel, rolled_out, inferred) in enumerate(
        zip(axes[0], shown.rolled_out.T, shown.inferred.T, strict=True), 1
    ):
        panel.plot(inferred, rolled_out, "o", color=style.BLUE, markersize=4, alpha=0.7)
        ends = [inferred.min(), inferred.max()]
        panel.plot(ends, ends, color=style.GREY, linestyle="--")
        panel.set(title=f"axis {axis}", xlabel="inferred from the other window", ylabel="rolled out from the first")
    return figure


def draw_periods(oscillation: Oscillation) -> Figure:
    """Draws the periods of learned rollouts against the true amplitudes, on the true curve."""
    figure, axes = style.subplots(figsize=(6, 4))
    order = np.argsort(oscillation.amplitudes)
    axes.plot(oscillation.amplitudes[order], oscillation.true[order], color=style.GREY, label="true system")
    axes.plot(oscillation.amplitudes, oscillation.learned, "o", color=style.BLUE, markersize=5, label="learned")
    both = np.concatenate([oscillation.true, oscillation.learned])
    axes.set(xlabel="amplitude", ylabel="period", ylim=(0.9 * np.nanmin(both), 1.1 * np.nanmax(both)))
    axes.legend()
    return figure


def draw_energies(samples: SampledStates) -> Figure:
    """Draws histograms of the learned energies of samples and of states inferred from test clips."""
    figure, axes = style.subplots(figsize=(6, 4))
    energies = {"test clips": (samples.test_energies, style.GREY), "samples": (samples.energies, style.BLUE)}
    finite = {name: (values[np.isfinite(values)], colour) for name, (values, colour) in energies.items()}
    both = np.concatenate([values for values, _ in finite.values()])
    if not len(both):
        return figure
    bins = np.linspace(*np.quantile(both, [0.005, 0.995]), 40)
    for name, (values, colour) in finite.items():
        if not len(values):
            continue
        axes.hist(values, bins, density=True, color=colour, alpha=0.6, label=name)
    axes.set(xlabel="learned energy, in the model's unit", ylabel="density", yticks=[])
    axes.legend()
    return figure
