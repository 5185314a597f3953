"""The pictures that reports share: strips of frames, movies, errors per step, training curves."""

import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import imageio.v3 as imageio
import matplotlib
import numpy as np

matplotlib.use("agg")
from matplotlib import pyplot as plt  # noqa: E402  (the backend must be chosen first)

_FRAMES_PER_STRIP = 11
_GAP = 1  # image pixels between frames
_CLIP_GAP = 5  # and between one clip's rows and the next one's
_MOVIE_SCALE = 4  # screen pixels per image pixel
_FRAMES_PER_SECOND = 8
_MP4 = {"plugin": "pyav", "codec": "libx264", "fps": _FRAMES_PER_SECOND}
# What errors are of: how they are called, where {} is the model, their colour, of Okabe and Ito's, and line.
_ROWS = {
    "model": ("{}", "#0072b2", "-"),
    "scipy": ("{}, by scipy", "#56b4e9", "--"),
    "mean_image": ("mean image", "#d55e00", "-"),
    "first_frame": ("first frame held", "#cc79a7", "-"),
    "noise_floor": ("noise floor", "#009e73", "-"),
}
_BLUE = _ROWS["model"][1]


def error_rows(split: Mapping[str, Any], model: str) -> dict[str, Mapping[str, Any]]:
    """What `metrics.json` says of the errors on a split, of the model and its reference rows, by their labels."""
    rows = {"model": split, **split["reference"]}
    if "scipy" in split:
        rows["scipy"] = split["scipy"]
    return {label.format(model): rows[name] for name, (label, *_) in _ROWS.items() if name in rows}


def frame_numbers(num_frames: int, at_most: int) -> np.ndarray:
    """The numbers of some of the frames of a clip, evenly chosen, the first and the last among them."""
    return np.unique(np.linspace(0, num_frames - 1, min(at_most, num_frames)).round().astype(int))


def draw_strips(
    path: pathlib.Path,
    rows: Sequence[tuple[str, np.ndarray]],
    title: str,
    step: float = 1.0,
    at_most: int = _FRAMES_PER_STRIP,
) -> None:
    """Some frames of clips, evenly chosen in time: the first clip of each row, below them the second, and so on.

    Args:
      path: of the picture.
      rows: labels and clips, `[clips, frames, height, width, 3]` in [0, 1], equal in shape.
      title: of the picture.
      step: time from a frame to the next, in steps of the training.
      at_most: how many frames of a clip.
    """
    times = frame_numbers(rows[0][1].shape[1], at_most)
    clips = [clip[times] for group in zip(*(images for _, images in rows), strict=True) for clip in group]
    labels = [label for label, _ in rows] * len(rows[0][1])
    height, width = (n * (size + _GAP) for n, size in zip((len(clips), len(times)), clips[0].shape[1:3], strict=True))
    figure, axes = plt.subplots(figsize=(11, 11 * height / width + 0.8))
    gaps = (_GAP,) * (len(rows) - 1) + (_CLIP_GAP,)
    show_strips(axes, clips, labels, [f"{time * step or 0:g}" for time in times], gaps)
    axes.set_title(title)
    axes.set_xlabel("time, in steps of the training")
    save(figure, path)


def draw_reconstructions(directory: pathlib.Path, reconstructions: Mapping[str, Any], model: str, start: str) -> None:
    """Strips of each split and a movie of the test split: observed clips, below them those rolled out from `start`."""
    for split, clips in reconstructions.items():
        rows = [("observed", clips.observed), (model, clips.predicted)]
        title = f"{split} trajectories: observed frames and the rollout from {start}"
        draw_strips(directory / f"reconstruction_{split}.png", rows, title)
    test = reconstructions["test"]
    write_movie(directory / "reconstruction_test.gif", [test.observed, test.predicted])


def show_strips(
    axes: Any, clips: Sequence[np.ndarray], labels: Sequence[str], times: Sequence[Any], gaps: Sequence[int] = (_GAP,)
) -> None:
    """Draws clips, `[frames, height, width, 3]` in [0, 1] each, one below the other.

    Args:
      axes: where.
      clips: of equal shape.
      labels: one of each clip.
      times: what is written below each frame, in steps.
      gaps: image pixels below the first clip, the second, ..., and again from the start.
    """
    height, width = clips[0].shape[1:3]
    rows = [
        np.concatenate([_with_gaps(frame, gaps[i % len(gaps)]) for frame in clip], axis=1)
        for i, clip in enumerate(clips)
    ]
    axes.imshow(np.clip(np.concatenate(rows), 0, 1), interpolation="nearest")
    axes.set_xticks((np.arange(len(times)) * (width + _GAP)) + width / 2, times)
    starts = np.cumsum([0, *(len(row) for row in rows[:-1])])
    axes.set_yticks(starts + height / 2, labels)
    axes.tick_params(length=0)
    axes.set_xlabel("step")
    axes.spines[:].set_visible(False)


def _with_gaps(image: np.ndarray, below: int) -> np.ndarray:
    """White to the right of and below an image."""
    return np.pad(image, ((0, below), (0, _GAP), (0, 0)), constant_values=1.0)


def write_movie(path: pathlib.Path, rows: Sequence[np.ndarray]) -> None:
    """A `.gif` or `.mp4` of clips, `[clips, frames, height, width, 3]` a row, side by side and row below row."""
    gaps = ((0, 0), (0, 0), (0, _GAP), (0, _GAP), (0, 0))
    padded = [np.pad(images, gaps, constant_values=1.0) for images in rows]
    frames = np.concatenate([np.concatenate(list(images), axis=2) for images in padded], axis=1)
    frames = frames.repeat(_MOVIE_SCALE, axis=1).repeat(_MOVIE_SCALE, axis=2)
    how = {".gif": {"duration": 1000 / _FRAMES_PER_SECOND, "loop": 0}, ".mp4": _MP4}[path.suffix]
    imageio.imwrite(path, (np.clip(frames, 0, 1) * 255).astype(np.uint8), **how)


def draw_errors(path: pathlib.Path, results: Mapping[str, Any], model: str) -> None:
    """Mean squared error per step of the model, called `model`, and of its reference rows, on both splits.

    Where not all frames are seen, a line marks the last one that is.
    """
    figure, axes = plt.subplots(1, 2, figsize=(10, 4), sharey=True, layout="constrained")
    styles = {label.format(model): style for label, *style in _ROWS.values()}
    for panel, split in zip(axes, ("train", "test"), strict=True):
        for name, row in error_rows(results[split], model).items():
            errors = np.array(row["mse_per_step"])
            errors[errors == 0] = np.nan  # the first frame held is exact at step 0, which a logarithm cannot show
            colour, line = styles[name]
            panel.plot(errors, line, label=name, color=colour)
        if results.get("frames_seen", num_frames := len(results[split]["mse_per_step"])) < num_frames:
            panel.axvline(results["frames_seen"] - 1, color="grey", linestyle=":", label="last frame seen")
        skill = f", skill {results[split]['skill']:.3f}" if "skill" in results[split] else ""
        panel.set(title=f"{split}{skill}", xlabel="step", yscale="log")
    axes[0].set_ylabel("mean squared error per pixel")
    figure.legend(*axes[1].get_legend_handles_labels(), loc="outside lower center", ncols=len(_ROWS) + 1)
    save(figure, path)


def draw_training(
    path: pathlib.Path, rows: Sequence[Mapping[str, float]], titles: Mapping[str, str], logarithmic: bool = True
) -> None:
    """Scalars of `metrics.csv` over the steps of training; no picture if there are none.

    Args:
      path: of the picture.
      rows: of the file.
      titles: name of a scalar to what is written above it; those that the rows do not have are left out.
      logarithmic: whether those that are all positive are.
    """
    names = [name for name in titles if rows and name in rows[0]]
    if not names:
        return
    figure, axes = plt.subplots(1, len(names), figsize=(3.4 * len(names), 3), layout="constrained", squeeze=False)
    for panel, name in zip(axes[0], names, strict=True):
        values = np.array([row[name] for row in rows])
        panel.plot([row["step"] for row in rows], values, color=_BLUE)
        panel.set(title=titles[name], xlabel="step")
        if logarithmic and np.all(values > 0):
            panel.set_yscale("log")
        else:
            later = values[len(values) // 20 :]  # the first would hide the others
            margin = 0.05 * np.ptp(later) or 1.0
            panel.set_ylim(later.min() - margin, later.max() + margin)
    save(figure, path)


def save(figure: Any, path: pathlib.Path) -> None:
    """Writes a figure and closes it."""
    figure.savefig(path, dpi=110, bbox_inches="tight")
    plt.close(figure)
