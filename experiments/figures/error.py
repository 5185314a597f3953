"""Fig. 6 of the paper: the error at each step of a rollout, and the learned energies."""

import itertools
from collections.abc import Sequence
from typing import Any

from experiments.comparison.rows import ROWS, FinishedRun
from experiments.figures.figure import PaperFigure
from experiments.figures.runs import Groups, own_energy
from experiments.reporting import style
from experiments.reporting.names import REFERENCES, pretty

# Colours and, for grey print, markers of the models, in the order of the table.
_COLOURS = (style.SKY, style.ORANGE, style.VERMILION, style.GREEN, style.PURPLE, style.BLACK, style.BLUE)
_MARKERS = "vDs^Pxo*"
_STYLES = {row: look for row, *look in zip(ROWS, itertools.cycle(_COLOURS), itertools.cycle(_MARKERS), strict=False)}
_REFERENCE_STYLES = {
    "mean_image": (style.DARK_GREY, "--"), "first_frame": (style.GREY, ":"), "noise_floor": (style.DARK_GREY, "-."),
}  # fmt: skip
_MARK_EVERY = 6  # steps


def draw(groups: Groups) -> PaperFigure:
    """Draws the error at each step on both splits, in a column for each system, with the learned energies."""
    figure, axes = style.subplots(
        2, len(groups), figsize=(max(6.5, 4.4 * len(groups)), 8.5), sharex="col", sharey="col", squeeze=False
    )
    for column, (system, runs) in zip(axes.T, groups.items(), strict=True):
        for panel, split in zip(column, ("train", "test"), strict=True):
            _draw_errors(panel, runs, split)
            panel.set(title=f"{pretty(system)}, {split}", yscale="log")
        column[1].set_xlabel("step")
        column[1].legend(loc="upper center", bbox_to_anchor=(0.5, -0.16), fontsize=8, frameon=False)
    for panel in axes[:, 0]:
        panel.set_ylabel("mean squared error per pixel")
    paths = [run.directory.path for runs in groups.values() for run in runs]
    title = "Figure 6: error at each step, and the learned energy"
    return PaperFigure("figure_6", title, _caption(groups), paths, figure)


def _draw_errors(axes: Any, runs: Sequence[FinishedRun], split: str) -> None:
    for run in runs:
        colour, marker = _STYLES[run.row or "hgn_leapfrog"]
        line = "--" if run.config.program == "hnn" else "-"
        marks = {"marker": marker, "markevery": _MARK_EVERY, "markersize": 4}
        axes.plot(getattr(run.results, split).mse_per_step, line, color=colour, label=legend_label(run), **marks)
    references = getattr(runs[0].results, split).reference
    for name, label in REFERENCES.items():
        if name in references:
            colour, line = _REFERENCE_STYLES[name]
            errors = style.positive(references[name].mse_per_step)
            axes.plot(errors, line, color=colour, linewidth=1.2, label=label)


def legend_label(run: FinishedRun) -> str:
    """Returns the model's name and its learned energy, mean ± variance along rollouts, as in the paper's legend."""
    energy = own_energy(run)
    if energy is None:
        return run.label
    if energy.mean is None or energy.variance is None:
        return f"{run.label}, E not finite"
    mean, variance = (f"{x:#.{digits}g}".rstrip(".") for x, digits in ((energy.mean, 3), (energy.variance, 2)))
    return f"{run.label}, E = {mean} ± {variance}"


def _caption(groups: Groups) -> str:
    drifts, frames_seen = [], {}
    for system, runs in groups.items():
        energies = {run.label: own_energy(run) for run in runs}
        known = [f"{label} {energy.drift:.2g}" for label, energy in energies.items() if energy and energy.drift]
        drifts.append(f"{pretty(system)}: {', '.join(known) or 'not known'}")
        frames_seen |= {run.label: run.results.frames_seen for run in runs}
    frames = ", ".join(f"{label} {count}" for label, count in frames_seen.items())
    return (
        "Mean squared error per pixel (pixels in [0, 1]) at each step of the rollout, averaged over trajectories of "
        "the training split (above) and of the test split (below). Grey lines are references: the best constant "
        "image, the first frame held still and, where the true states are known, the noise floor, which is the error "
        "of the expected image given these states.\n\n"
        "E in the legend is the mean ± variance of the learned energy along "
        "rollouts by the model's own integrator from the first test clips; the variance is taken along each rollout, "
        "then averaged over rollouts. (The paper prints the variance times 10⁴.) The unit of the learned energy is "
        "arbitrary and differs between models, so neither means nor variances can be compared. The drift can: it is "
        "the largest departure from the initial energy along a rollout, in standard deviations over initial states."
        f"\n\nDrift, {'; '.join(drifts)}.\n\nNumber of frames of the clip that a model sees: {frames}."
    )
