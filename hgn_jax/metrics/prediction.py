"""How long a prediction stays valid beyond the frames that were seen, forwards and backwards in time.

The valid prediction time (VPT) of Botev et al. 2021 (arXiv 2111.05458): the first extrapolated step at which the mean
squared error of a frame, as a fraction of the frame's mean square, exceeds 0.025.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

THRESHOLD = 0.025
HORIZONS = (60, 120)

Predict = Callable[[np.ndarray, int, bool], np.ndarray]


def relative_errors(predicted: np.ndarray, observed: np.ndarray) -> np.ndarray:
    """mean((x - x^)^2) / mean(x^2) of each frame, `[examples, frames, height, width, colours]` to `[examples, frames]`.

    Black frames, of which no fraction can be taken, are wrong unless they are predicted exactly.
    """
    error, square = (np.mean(x**2, axis=(2, 3, 4)) for x in (predicted - observed, observed))
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where((square == 0) & (error == 0), 0.0, error / square)


def valid_steps(errors: np.ndarray, threshold: float = THRESHOLD) -> np.ndarray:
    """Steps before the first whose error exceeds the threshold or is not a number, `[examples, steps]` to `[examples]`.

    0 if it is the first, the number of steps if there is none.
    """
    wrong = ~(errors <= threshold)
    return np.where(wrong.any(axis=1), wrong.argmax(axis=1), errors.shape[1])


def valid_prediction_time(errors: np.ndarray, threshold: float = THRESHOLD) -> dict[str, float]:
    """The median of `valid_steps` over trajectories: in `steps`, as `fraction` of all, and the `horizon`, all of them.

    Args:
      errors: relative errors of the extrapolated steps, in the order of prediction, `[examples, steps]`.
      threshold: the largest error that is valid.
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
    """Relative errors of the steps that follow, or precede, the frames that are seen.

    Forwards the first frames are seen and the steps after them predicted; backwards the last are seen and the steps
    before them predicted, in reversed time.

    Args:
      predict: `(frames [examples, num_seen, ...], num_steps, backward) -> images [examples, num_steps + 1, ...]`, the
        rollout from the state at the first of the frames, that one included.
      clips: what is seen is taken from, `[examples, frames, height, width, colours]`.
      num_seen: frames that are seen.
      horizon: steps to be predicted beyond them.
      backward: the direction.
      targets: what should be predicted at all times, floats in [0, 1] of the shape of `clips`, by default these.

    Returns:
      `[examples, horizon]`.

    Raises:
      ValueError: if the clips are shorter than `num_seen + horizon` frames, or there is nothing to see or to predict.
    """
    targets, total = clips if targets is None else targets, clips.shape[1]
    if num_seen < 1 or horizon < 1:
        raise ValueError(f"num_seen and horizon must be 1 or more, got {num_seen} and {horizon}")
    if total < num_seen + horizon:
        raise ValueError(f"{num_seen} frames and {horizon} steps beyond need longer clips than {total} frames")
    if backward:
        first = total - num_seen
        predicted = predict(clips[:, first:], horizon, True)[:, 1:]
        return relative_errors(predicted, targets[:, first - horizon : first][:, ::-1])
    predicted = predict(clips[:, :num_seen], num_seen + horizon - 1, False)[:, num_seen:]
    return relative_errors(predicted, targets[:, num_seen : num_seen + horizon])


def horizons_within(num_frames: int, num_seen: int, wanted: Sequence[int] = HORIZONS) -> tuple[int, ...]:
    """The horizons that clips of `num_frames` allow: those wanted that fit, or all the rest if none does."""
    rest = num_frames - num_seen
    fitting = tuple(horizon for horizon in wanted if horizon <= rest)
    return fitting or ((rest,) if rest > 0 else ())


def valid_prediction_times(
    predict: Predict,
    clips: np.ndarray,
    num_seen: int,
    wanted: Sequence[int] = HORIZONS,
    targets: np.ndarray | None = None,
    margins: tuple[int, int] = (0, 0),
) -> dict[str, Any]:
    """`valid_prediction_time` in both directions for every horizon that the clips allow.

    Args:
      predict: as for `extrapolation_errors`, and so are `clips`, `num_seen` and `targets`.
      clips: frames.
      num_seen: frames that are seen.
      wanted: horizons.
      targets: what should be predicted.
      margins: how many frames at the start, and at the end, of the clips may be predicted only. What is seen are the
        first frames between the margins, and backwards the last.

    Returns:
      `{"forward": {"60": {steps, fraction, horizon}, ...}, "backward": {...}}`, both empty if the clips end with the
      frames that are seen.
    """
    targets, total = clips if targets is None else targets, clips.shape[1]
    horizons = horizons_within(total - max(margins), num_seen, wanted)
    parts = {"forward": slice(margins[0], total), "backward": slice(0, total - margins[1])}
    result = {direction: {} for direction in parts}
    if horizons:
        for direction, part in parts.items():
            errors = extrapolation_errors(
                predict, clips[:, part], num_seen, max(horizons), direction == "backward", targets[:, part]
            )
            result[direction] = {str(horizon): valid_prediction_time(errors[:, :horizon]) for horizon in horizons}
    return result
