"""A film of the user's own, and below it what a trained model makes of it: its window, its future and its past."""

import pathlib
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from data_builders import caller
from data_builders.films import read_film_like
from experiments.reporting import pictures, style
from experiments.run.command_line import user_errors
from experiments.run.trainer import Run
from hgn_jax.metrics.rollouts import frame_errors
from hgn_jax.models.frames import unit_interval
from hgn_jax.prediction import Prediction, predict
from hgn_jax.whole_files import whole_file

_MAX_FRAMES = 13  # in a strip
_GREY = 0.85  # fills the place of frames that the film has not


def write(
    run: Run,
    path: pathlib.Path,
    num_steps: int,
    directory: pathlib.Path,
    settings: Mapping[str, Any] | None = None,
    max_clips: int = 4,
) -> Iterator[str]:
    """Writes a strip, movies and the numbers of a film and its prediction; yields lines for the user.

    Args:
      run: A run of a model of frames.
      path: Path of the film.
      num_steps: Number of frames to predict in each direction from that of the state.
      directory: Directory for the files.
      settings: Settings with which the film is read, where they are not those of the films of the run.
      max_clips: Largest number of clips that are taken, from the first, of a file that holds several.
    """
    in_program = caller.Caller(flag=lambda field, value: f'--clip_settings=\'{{"{field}": "{value}"}}\'')
    with user_errors(), caller.calling(in_program):
        film = read_film_like(path, run.data.metadata, **settings or {})
        number, num_frames, size = film.shape[:3]
        film = film[:max_clips]
        yield f"{path}: {len(film)} of {number} clips, {num_frames} frames, resized to {size}x{size} pixels"
        prediction = predict(run.model, run.state.params, film, num_steps, first_seen=None)
    earliest, model = prediction.around()
    observed, is_filmed = _align(np.asarray(unit_interval(film)), earliest, model.shape[1])
    yield _summarise(prediction, observed, model, is_filmed)
    directory.mkdir(parents=True, exist_ok=True)
    stem = directory / f"clip_{path.stem}"
    style.save(_draw(prediction, observed, model, earliest), stem.with_suffix(".png"))
    for suffix in (".gif", ".mp4"):
        pictures.write_movie(stem.with_suffix(suffix), [observed, model])
    arrays = {"q": prediction.state.q, "p": prediction.state.p, "first": prediction.first, "seen": prediction.seen}
    arrays |= {"energy": prediction.energy, "forward": prediction.forward, "backward": prediction.backward}
    with whole_file(stem.with_suffix(".npz")) as part:
        np.savez_compressed(part, **arrays)
    yield f"film above model: {stem}.png, .gif and .mp4; states, energies and frames: {stem}.npz"


def _align(film: np.ndarray, earliest: int, num_frames: int) -> tuple[np.ndarray, np.ndarray]:
    """Returns the film at the times of a prediction, grey where there is none, and whether each time was filmed."""
    times = earliest + np.arange(num_frames)
    is_filmed = (times >= 0) & (times < film.shape[1])
    observed = np.full((len(film), num_frames, *film.shape[2:]), _GREY, np.float32)
    observed[:, is_filmed] = film[:, times[is_filmed]]
    return observed, is_filmed


def _summarise(prediction: Prediction, observed: np.ndarray, model: np.ndarray, is_filmed: np.ndarray) -> str:
    """Says what the model saw, and its error against that of the film's mean image."""
    observed, model = observed[:, is_filmed], model[:, is_filmed]
    mean_image = np.broadcast_to(observed.mean(axis=(0, 1)), observed.shape)
    error, still = (float(frame_errors(images, observed).mean()) for images in (model, mean_image))
    (first, end), number = prediction.seen, observed.shape[1]
    energies = ", ".join(f"{energy:.4g}" for energy in prediction.energy)
    return (
        f"the model sees frames {first} to {end - 1}; its squared error per pixel over {number} frames of the film is "
        f"{error:.3g}, that of the mean image {still:.3g}; energy {energies}"
    )


def _draw(prediction: Prediction, observed: np.ndarray, model: np.ndarray, earliest: int) -> Figure:
    """Draws frames of each film above those of the model, numbered as in the film."""
    times = pictures.frame_numbers(model.shape[1], _MAX_FRAMES)
    rows = [clip[times] for pair in zip(observed, model, strict=True) for clip in pair]
    figure, axes = style.subplots(figsize=(11, 11 * len(rows) / len(times) + 1.2))
    pictures.draw_strips(axes, rows, ["film", "model"] * len(model), earliest + times)
    first, end = prediction.seen
    axes.set(title=f"Film above model, which sees frames {first} to {end - 1}", xlabel="number of the frame")
    return figure
