"""Rollouts of a model over long clips, and the errors of their frames."""

import functools
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np

from experiments.clips import divergence
from experiments.clips.data import Clips
from experiments.clips.long_clips import LongClips
from experiments.clips.prediction import CompiledDynamics
from hgn_jax.metrics import beyond_clip, prediction
from hgn_jax.physics.phase_space import PhaseState

FILM_THRESHOLD = 0.5  # of the skill; the noise of films is not known


class Rollout(NamedTuple):
    """The rollouts of a model from the window of each long clip to both its ends.

    Attributes:
      first_seen: Index of the first frame of the window.
      anchor: Index of the frame at which states are inferred from the window.
      path: States, `[time, clips, ...]`.
      states: The coordinates of these states, `[clips, time, d]`.
      images: Decoded images, `[clips, time, size, size, 3]`.
    """

    first_seen: int
    anchor: int
    path: PhaseState
    states: np.ndarray
    images: np.ndarray


def roll_out(dynamics: CompiledDynamics, frames: np.ndarray, first_seen: int) -> Rollout:
    """Rolls out from the windows that begin at one frame, forwards and backwards to both ends of long clips.

    Args:
      dynamics: The model.
      frames: Long clips, uint8 `[clips, time, size, size, 3]`.
      first_seen: Index of the first frame of the windows.
    """
    seen = frames[:, first_seen : first_seen + dynamics.num_seen]
    path = dynamics.infer_path(seen, first_seen, frames.shape[1])
    states = np.swapaxes(dynamics.coordinates(path, 2), 0, 1)
    return Rollout(first_seen, first_seen + dynamics.anchor, path, states, dynamics.decode(path))


class Comparison(NamedTuple):
    """The errors of predicted frames.

    Attributes:
      errors: Mean squared errors, `[clips, time]`.
      relative: Errors relative to the mean square of the noise-free frame, `[clips, time]`.
      scale: Error of the best constant image.
      clip: The times of the clip in the middle.
      threshold: Skill at which the horizon ends.
      diverged: Errors of the true system from slightly wrong starts, `[clips, time]`, by the error of the start.
    """

    errors: np.ndarray
    relative: np.ndarray
    scale: float
    clip: slice
    threshold: float
    diverged: Mapping[float, np.ndarray]

    def skill(self, errors: np.ndarray) -> np.ndarray:
        """The skill at each time, averaged over clips."""
        return 1.0 - errors.mean(axis=0) / self.scale

    def sides(self, errors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The errors after the clip and before it, in the order of prediction, each `[clips, steps]`."""
        return errors[:, self.clip.stop :], errors[:, : self.clip.start][:, ::-1]

    def horizons(self, errors: np.ndarray) -> list[float | None]:
        """The skill horizons after the clip and before it."""
        measure = functools.partial(beyond_clip.skill_horizon, mean_image_error=self.scale, threshold=self.threshold)
        return [median_steps(measure, side) for side in self.sides(errors)]


def compare(clips: Clips, long_clips: LongClips, targets: np.ndarray, rollout: Rollout) -> Comparison:
    """Compares the images of rollouts with the frames of long clips.

    Args:
      clips: The data set.
      long_clips: Its long clips.
      targets: Best predictions of their frames, `[clips, time, size, size, 3]`.
      rollout: The rollouts of the model.
    """
    before = long_clips.margins[0]
    return Comparison(
        errors=_by_clip(_squared_errors, rollout.images, targets),
        relative=_by_clip(prediction.relative_errors, rollout.images, long_clips.noise_free),
        scale=_mean_image_error(targets),
        clip=slice(before, before + clips.num_frames),
        threshold=beyond_clip.SKILL_THRESHOLD if clips.has_true_states else FILM_THRESHOLD,
        diverged=_errors_of_divergence(clips, long_clips, targets, rollout.first_seen),
    )


def _errors_of_divergence(
    clips: Clips, long_clips: LongClips, targets: np.ndarray, start: int
) -> dict[float, np.ndarray]:
    """Errors `[clips, time]` of a chaotic system from starts that are wrong by each level; empty for other systems."""
    errors = {}
    for level in divergence.LEVELS if divergence.is_chaotic(clips) else ():
        images = divergence.roll_out_from_wrong_start(clips, long_clips, start, level).expected_images(clips.metadata)
        errors[level] = _by_clip(_squared_errors, images, targets)
    return errors


def _squared_errors(images: np.ndarray, targets: np.ndarray) -> np.ndarray:
    return np.mean((images - targets) ** 2, axis=(2, 3, 4))


def _by_clip(measure: Callable[..., np.ndarray], images: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """Measures clip by clip, which bounds the memory."""
    return np.concatenate([measure(images[i : i + 1], targets[i : i + 1]) for i in range(len(images))])


def _mean_image_error(targets: np.ndarray) -> float:
    mean_image = targets.mean(axis=(0, 1))
    return float(np.mean([np.mean((clip - mean_image) ** 2) for clip in targets]))


def median_steps(measure: Callable[[np.ndarray], Any], errors: np.ndarray) -> float | None:
    """The median over clips of a measure of errors `[clips, steps]`; None without any steps."""
    return float(np.median(measure(errors))) if errors.shape[1] else None
