"""Fig. 6 of the paper: the error of every step of a rollout, and the learned energies."""

import itertools
import pathlib
from typing import Any

import numpy as np
from matplotlib import pyplot as plt

from experiments.comparison.rows import REFERENCES, ROWS
from experiments.figures import files as figure_files
from experiments.figures.files import Drawn, pretty
from experiments.figures.runs import SPLITS, Groups, Model, own_energy

_NAME = "figure_6"
# Of the models, in the order of the table: Okabe and Ito's colours, for the colour-blind, and markers for grey print.
_COLOURS = ("#56b4e9", "#e69f00", "#d55e00", "#009e73", "#cc79a7", "#000000", "#0072b2")
_MARKERS = "vDs^Pxo*"
_STYLES = {
    row.label: style
    for row, *style in zip(ROWS.values(), itertools.cycle(_COLOURS), itertools.cycle(_MARKERS), strict=False)
}
_FULL_MODEL = ROWS["hgn_leapfrog"].label  # whose style a run without a row has too
_REFERENCE_STYLES = {"mean_image": ("#666666", "--"), "first_frame": ("#999999", ":"), "noise_floor": ("#666666", "-.")}
_MARK_EVERY = 6  # steps


def draw(groups: Groups, directory: pathlib.Path) -> Drawn:
    """Fig. 6: the error of each step on both splits, a column for each system, with the learned energies."""
    figure, axes = plt.subplots(
        2, len(groups), figsize=(max(6.5, 4.4 * len(groups)), 8.5), sharex="col", sharey="col", squeeze=False,
        layout="constrained",
    )  # fmt: skip
    for column, (system, models) in zip(axes.T, groups.items(), strict=True):
        for panel, split in zip(column, SPLITS, strict=True):
            for model in models:
                colour, marker = _STYLES.get(model.label, _STYLES[_FULL_MODEL])
                line = "--" if model.config.program == "hnn" else "-"
                errors = model.results[split]["mse_per_step"]
                panel.plot(
                    errors, line, color=colour, marker=marker, markevery=_MARK_EVERY, markersize=4,
                    label=legend_label(model),
                )  # fmt: skip
            _draw_reference_errors(panel, models[0].results[split]["reference"])
            panel.set(title=f"{pretty(system)}, {split}", yscale="log")
        column[1].set_xlabel("step")
        column[1].legend(loc="upper center", bbox_to_anchor=(0.5, -0.16), fontsize=8, frameon=False)
    for panel in axes[:, 0]:
        panel.set_ylabel("mean squared error per pixel")
    figure_files.save(figure, directory, _NAME)
    runs = [model.run.path for models in groups.values() for model in models]
    return Drawn(_NAME, "Figure 6: error at each step, and the learned energy", _caption(groups), runs)


def _draw_reference_errors(axes: Any, references: dict[str, Any]) -> None:
    for name, label in REFERENCES.items():
        if name in references:
            errors = np.array(references[name]["mse_per_step"])
            errors[errors == 0] = np.nan  # the first frame held is exact at step 0, which a logarithm cannot show
            colour, line = _REFERENCE_STYLES[name]
            axes.plot(errors, line, color=colour, linewidth=1.2, label=label)


def legend_label(model: Model) -> str:
    """The model and its energy, mean ± variance along rollouts, as in the paper; without what is not known."""
    energy = own_energy(model)
    if energy is None:
        return model.label
    numbers = [energy[name] for name in ("mean", "variance")]
    if None in numbers:
        return f"{model.label}, E not finite"
    mean, variance = (f"{number:#.{digits}g}".rstrip(".") for number, digits in zip(numbers, (3, 2), strict=True))
    return f"{model.label}, E = {mean} ± {variance}"


def _caption(groups: Groups) -> str:
    per_system = []
    for system, models in groups.items():
        energies = {model.label: own_energy(model) for model in models}
        drifts = [f"{label} {energy['drift']:.2g}" for label, energy in energies.items() if energy and energy["drift"]]
        per_system.append(f"{pretty(system)}: {', '.join(drifts) or 'not known'}")
    seen = {
        model.label: model.results["frames_seen"]
        for models in groups.values()
        for model in models
        if "frames_seen" in model.results
    }
    frames = ", ".join(f"{label} {count}" for label, count in seen.items())
    return (
        "Mean squared error per pixel (pixels in [0, 1]) at each step of the rollout, averaged over trajectories of "
        "the training split (above) and of the test split (below). In grey the reference rows: the best constant "
        "image, the first frame held still and, where the true states are known, the noise floor, which is the error "
        "of the expected image given them. In the legend E is mean ± variance of the learned energy along rollouts by "
        "the model's own integrator from the first test clips; the variance is along a rollout, averaged over "
        "rollouts. (The paper prints the variance times 10⁴.) The unit of the learned energy is arbitrary and each "
        "model's own, so that neither means nor variances of two models compare. Free of units is the drift, the "
        "largest departure from the start along a rollout, in standard deviations over initial states. Drift, "
        f"{'; '.join(per_system)}. Frames of the clip that a model sees: {frames or 'not known'}."
    )
