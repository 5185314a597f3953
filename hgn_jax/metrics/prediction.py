"""The valid prediction time: how long a rollout stays close to the truth beyond the observed frames.

The valid prediction time (VPT) of Botev et al. (2021, arXiv 2111.05458) is the number of steps until the mean squared
error of a frame, as a fraction of the frame's mean square, first exceeds 0.025. It is measured forwards and backwards
in time.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

THRESHOLD = 0.025
HORIZONS = (60, 120)

Predict = Callable[[np.ndarray, int, bool], np.ndarray]


def relative_errors(predicted: np.ndarray, observed: np.ndarray) -> np.ndarray:
    """Returns mean((predicted - observed)²) / mean(observed²) of each frame, `[examples, frames]`.

    For a black frame the error is 0 if it is predicted exactly and infinite otherwise.

    Args:
      predicted: Predicted frames, `[examples, frames, height, width, colours]`.
      observed: True frames of the same shape.
    """
    error, square = (np.mean(x**2, axis=(2, 3, 4)) for x in (predicted - observed, observed))
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where((square == 0) & (error == 0), 0.0, error / square)


def valid_steps(errors: np.ndarray, threshold: float = THRESHOLD) -> np.ndarray:
    """Returns the number of steps before the first invalid one, `[examples]`; all steps if none is invalid.

    Args:
      errors: Errors of the steps, `[examples, steps]`.
      threshold: Largest valid error; NaN is invalid.
    """
    invalid = ~(errors <= threshold)
    return np.where(invalid.any(axis=1), invalid.argmax(axis=1), errors.shape[1])


def valid_prediction_time(errors: np.ndarray, threshold: float = THRESHOLD) -> dict[str, float]:
    """The median of `valid_steps` over trajectories.

    Args:
      errors: Relative errors of the extrapolated steps in the order of prediction, `[examples, steps]`.
      threshold: Largest valid error.

    Returns:
      The median in `steps`, the same as a `fraction` of all steps, and the number of all steps as `horizon`.
    """
    steps = float(np.median(valid_steps(errors, threshold)))
    return {"steps": steps, "fraction": steps / errors.shape[1], "horizon": errors.shape[1]}


def extrapolation_errors(
    predict: Predict,
    clips: np.ndarray,
    num_seen: int,
    horizon: int,
    backward: bool = False,
    targets: np.ndarray | None = None,
) -> np.ndarray:
    """Relative errors of predictions beyond the observed frames of each clip.

    Forwards, the first frames are observed and the steps after them are predicted. Backwards, the last frames are
    observed and the steps before them are predicted in reversed time.

    Args:
      predict: `(frames [examples, num_seen, ...], num_steps, backward) -> images [examples, num_steps + 1, ...]`, the
        decoded rollout from the state at the first of the frames, which is included.
      clips: Clips that the observed frames are taken from, `[examples, frames, height, width, colours]`.
      num_seen: Number of observed frames.
      horizon: Number of steps to predict beyond them.
      backward: Whether to predict backwards in time.
      targets: Frames that should be predicted, floats in [0, 1] of the shape of `clips`; None for the clips themselves.

    Returns:
      Errors in the order of prediction, `[examples, horizon]`.

    Raises:
      ValueError: If the clips are shorter than `num_seen + horizon` frames, or one of the two is below 1.
    """
    targets, num_frames = clips if targets is None else targets, clips.shape[1]
    if num_seen < 1 or horizon < 1:
        raise ValueError(f"num_seen and horizon must be 1 or more, got {num_seen} and {horizon}")
    if num_frames < num_seen + horizon:
        raise ValueError(f"{num_seen} frames and {horizon} steps beyond need longer clips than {num_frames} frames")
    if backward:
        first = num_frames - num_seen
        predicted = predict(clips[:, first:], horizon, True)[:, 1:]
        return relative_errors(predicted, targets[:, first - horizon : first][:, ::-1])
    predicted = predict(clips[:, :num_seen], num_seen + horizon - 1, False)[:, num_seen:]
    return relative_errors(predicted, targets[:, num_seen : num_seen + horizon])


def horizons_within(num_frames: int, num_seen: int, horizons: Sequence[int] = HORIZONS) -> tuple[int, ...]:
    """Returns the horizons that fit into clips of a length, or all remaining frames if none of them fits.

    Args:
      num_frames: Number of frames per clip.
      num_seen: Number of observed frames.
      horizons: Numbers of steps to predict beyond the observed frames.
    """
    num_remaining = num_frames - num_seen
    fitting = tuple(horizon for horizon in horizons if horizon <= num_remaining)
    return fitting or ((num_remaining,) if num_remaining > 0 else ())


def valid_prediction_times(
    predict: Predict,
    clips: np.ndarray,
    num_seen: int,
    horizons: Sequence[int] = HORIZONS,
    targets: np.ndarray | None = None,
    margins: tuple[int, int] = (0, 0),
) -> dict[str, Any]:
    """The `valid_prediction_time` in both directions for every horizon that fits into the clips.

    Args:
      predict: Decoded rollout from observed frames; see `extrapolation_errors`.
      clips: Clips that the observed frames are taken from, `[examples, frames, height, width, colours]`.
      num_seen: Number of observed frames.
      horizons: Numbers of steps to predict beyond the observed frames; see `horizons_within`.
      targets: Frames that should be predicted; None for the clips themselves.
      margins: Numbers of frames at the start and at the end of the clips that are never observed, only predicted.
        Forwards, the first frames between the margins are observed; backwards, the last.

    Returns:
      `{"forward": {"60": {steps, fraction, horizon}, ...}, "backward": {...}}`, both empty if the clips end with the
      observed frames.
    """
    targets, num_frames = clips if targets is None else targets, clips.shape[1]
    horizons = horizons_within(num_frames - max(margins), num_seen, horizons)
    parts = {"forward": slice(margins[0], num_frames), "backward": slice(0, num_frames - margins[1])}
    times = {direction: {} for direction in parts}
    if horizons:
        for direction, part in parts.items():
            errors = extrapolation_errors(
                predict, clips[:, part], num_seen, max(horizons), direction == "backward", targets[:, part]
            )
            times[direction] = {str(horizon): valid_prediction_time(errors[:, :horizon]) for horizon in horizons}
    return times
