"""Pictures of any model's clips and training: strips of frames, movies, training curves."""

import gc
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import imageio.v3 as imageio
import numpy as np
from matplotlib.figure import Figure
from PIL import Image

from experiments.reporting import style
from hgn_jax.whole_files import whole_file

_MAX_FRAMES = 11  # in a strip
_GAP = 1  # image pixels between frames
_CLIP_GAP = 5  # image pixels between the rows of one clip and those of the next
_MOVIE_SCALE = 4  # screen pixels per image pixel
_FRAMES_PER_SECOND = 8


def frame_numbers(num_frames: int, max_frames: int) -> np.ndarray:
    """Returns the numbers of at most `max_frames` frames, evenly spaced, including the first and the last."""
    return np.unique(np.linspace(0, num_frames - 1, min(max_frames, num_frames)).round().astype(int))


def draw_strips(
    axes: Any, clips: Sequence[np.ndarray], labels: Sequence[str], times: Sequence[Any], gaps: Sequence[int] = (_GAP,)
) -> None:
    """Draws clips below each other, the frames of each side by side.

    Args:
      axes: Axes to draw on.
      clips: Clips of equal shape `[frames, height, width, 3]`, with values in [0, 1].
      labels: Label of each clip.
      times: Tick label below each frame.
      gaps: Image pixels below the first clip, the second and so on; repeated if there are more clips.
    """
    height, width = clips[0].shape[1:3]
    rows = [
        np.concatenate([_pad(frame, gaps[i % len(gaps)]) for frame in clip], axis=1) for i, clip in enumerate(clips)
    ]
    axes.imshow(np.clip(np.concatenate(rows), 0, 1), interpolation="nearest")
    axes.set_xticks((np.arange(len(times)) * (width + _GAP)) + width / 2, times)
    tops = np.cumsum([0, *(len(row) for row in rows[:-1])])
    axes.set_yticks(tops + height / 2, labels)
    axes.tick_params(length=0)
    axes.set_xlabel("step")
    axes.spines[:].set_visible(False)


def _pad(image: np.ndarray, below: int) -> np.ndarray:
    """Adds white to the right of an image and below it."""
    return np.pad(image, ((0, below), (0, _GAP), (0, 0)), constant_values=1.0)


def draw_clips(
    rows: Sequence[tuple[str, np.ndarray]], title: str, dt: float = 1.0, max_frames: int = _MAX_FRAMES
) -> Figure:
    """Draws frames of clips, evenly spaced in time: the first clip of each row, below them the second, and so on.

    Args:
      rows: Labels and clips; the clips have equal shapes `[clips, frames, height, width, 3]` and values in [0, 1].
      title: Title of the picture.
      dt: Time between frames, in time steps of the training; negative for a rollout backwards.
      max_frames: Largest number of frames of a clip.
    """
    times = frame_numbers(rows[0][1].shape[1], max_frames)
    clips = [clip[times] for group in zip(*(images for _, images in rows), strict=True) for clip in group]
    labels = [label for label, _ in rows] * len(rows[0][1])
    height, width = (n * (size + _GAP) for n, size in zip((len(clips), len(times)), clips[0].shape[1:3], strict=True))
    figure, axes = style.subplots(figsize=(11, 11 * height / width + 0.8))
    gaps = (_GAP,) * (len(rows) - 1) + (_CLIP_GAP,)
    draw_strips(axes, clips, labels, [f"{time * dt or 0:g}" for time in times], gaps)
    axes.set(title=title, xlabel="time, in steps of the training")
    return figure


def write_movie(path: pathlib.Path, rows: Sequence[np.ndarray]) -> None:
    """Writes a `.gif` or `.mp4` of clips, those of a row side by side and the rows below each other.

    Args:
      path: Path of the movie.
      rows: Clips of equal shape `[clips, frames, height, width, 3]`, with values in [0, 1].
    """
    gaps = ((0, 0), (0, 0), (0, _GAP), (0, _GAP), (0, 0))
    padded = [np.pad(_to_bytes(images), gaps, constant_values=255) for images in rows]
    frames = np.concatenate([np.concatenate(list(images), axis=2) for images in padded], axis=1)
    with whole_file(path) as part:
        _WRITERS[path.suffix](part, frames)


def _to_bytes(images: np.ndarray) -> np.ndarray:
    """Returns images with values in [0, 1] as bytes."""
    return (np.clip(images, 0, 1) * 255).astype(np.uint8)


def _write_gif(path: pathlib.Path, frames: np.ndarray) -> None:
    size = (frames.shape[2] * _MOVIE_SCALE, frames.shape[1] * _MOVIE_SCALE)
    # colours are chosen before enlarging, which adds none
    first, *others = (Image.fromarray(frame).quantize().resize(size, Image.Resampling.NEAREST) for frame in frames)
    duration = 1000 / _FRAMES_PER_SECOND
    first.save(path, save_all=True, append_images=others, duration=duration, loop=0)


def _write_mp4(path: pathlib.Path, frames: np.ndarray) -> None:
    enlarged = frames.repeat(_MOVIE_SCALE, axis=1).repeat(_MOVIE_SCALE, axis=2)
    gc.freeze()  # imageio collects garbage for each file, which takes .4 s where JAX has been used
    try:
        imageio.imwrite(path, enlarged, plugin="pyav", codec="libx264", fps=_FRAMES_PER_SECOND)
    finally:
        gc.unfreeze()


_WRITERS = {".gif": _write_gif, ".mp4": _write_mp4}


def draw_training(
    rows: Sequence[Mapping[str, float]], titles: Mapping[str, str], logarithmic: bool = True
) -> Figure | None:
    """Draws scalars of `metrics.csv` against the step of training; returns None if there are none.

    Args:
      rows: Rows of the file.
      titles: Titles of the panels, by the name of the scalar; scalars that the rows lack are left out.
      logarithmic: Whether scalars that are always positive have a logarithmic axis.
    """
    names = [name for name in titles if rows and name in rows[0]]
    if not names:
        return None
    figure, axes = style.subplots(1, len(names), figsize=(3.4 * len(names), 3), squeeze=False)
    for panel, name in zip(axes[0], names, strict=True):
        values = np.array([row[name] for row in rows])
        panel.plot([row["step"] for row in rows], values, color=style.BLUE)
        panel.set(title=titles[name], xlabel="step")
        if logarithmic and np.all(values > 0):
            panel.set_yscale("log")
        else:
            later = values[len(values) // 20 :]  # the first values would stretch the axis
            margin = 0.05 * np.ptp(later) or 1.0
            panel.set_ylim(later.min() - margin, later.max() + margin)
    return figure
