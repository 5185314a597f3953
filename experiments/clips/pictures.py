"""Pictures of models of frames: observed and predicted clips, and the error of each frame."""

import pathlib
from collections.abc import Mapping

from matplotlib.figure import Figure

from experiments.clips.reconstruction import Reconstructions
from experiments.clips.results import Errors, FrameResults, SplitErrors
from experiments.reporting import style
from experiments.reporting.names import REFERENCES
from experiments.reporting.pictures import draw_clips, write_movie

# Of each row of errors: its label, where {} is the model, its colour and its line.
_ROWS = {
    "model": ("{}", style.BLUE, "-"),
    "scipy": ("{}, by scipy", style.SKY, "--"),
    "mean_image": (REFERENCES["mean_image"], style.VERMILION, "-"),
    "first_frame": (REFERENCES["first_frame"], style.PURPLE, "-"),
    "noise_floor": (REFERENCES["noise_floor"], style.GREEN, "-"),
}


def error_rows(split: SplitErrors, model: str) -> dict[str, Errors]:
    """Returns the errors of the model and of its reference rows on a split, by their labels."""
    rows = {"model": split, **split.reference}
    if split.scipy is not None:
        rows["scipy"] = split.scipy
    return {label.format(model): rows[name] for name, (label, *_) in _ROWS.items() if name in rows}


def write_reconstructions(
    directory: pathlib.Path, reconstructions: Mapping[str, Reconstructions], model: str, start: str
) -> None:
    """Writes strips of each split and a movie of the test split: observed clips, and below them the predicted ones.

    Args:
      directory: Directory of the report.
      reconstructions: Reconstructions by split.
      model: Name of the model.
      start: State that the predictions are rolled out from, in words.
    """
    for split, clips in reconstructions.items():
        rows = [("observed", clips.observed), (model, clips.predicted)]
        figure = draw_clips(rows, f"{split} trajectories: observed frames and the rollout from {start}")
        style.save(figure, directory / f"reconstruction_{split}.png")
    test = reconstructions["test"]
    write_movie(directory / "reconstruction_test.gif", [test.observed, test.predicted])


def draw_errors(results: FrameResults, model: str) -> Figure:
    """Draws the mean squared error per step of the model and of its reference rows on both splits.

    If the model sees only the first frames of a clip, a line marks the last frame seen.
    """
    figure, axes = style.subplots(1, 2, figsize=(10, 4), sharey=True)
    styles = {label.format(model): row_style for label, *row_style in _ROWS.values()}
    for panel, title, split in zip(axes, ("train", "test"), (results.train, results.test), strict=True):
        for name, row in error_rows(split, model).items():
            colour, line = styles[name]
            panel.plot(style.positive(row.mse_per_step), line, label=name, color=colour)
        if results.frames_seen < len(split.mse_per_step):
            panel.axvline(results.frames_seen - 1, color=style.GREY, linestyle=":", label="last frame seen")
        skill = "" if split.skill is None else f", skill {split.skill:.3f}"
        panel.set(title=f"{title}{skill}", xlabel="step", yscale="log")
    axes[0].set_ylabel("mean squared error per pixel")
    figure.legend(*axes[1].get_legend_handles_labels(), loc="outside lower center", ncols=len(_ROWS) + 1)
    return figure
