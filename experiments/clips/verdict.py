"""The outcome of a run on one's own films in words: what was learned, how far it holds, and what to try next."""

from experiments.clips.results import BeyondTheClip, FrameResults
from experiments.reporting.names import REFERENCES

_STILL_IMAGES = ("mean_image", "first_frame")
_NOTHING = 0.95  # of a still image's error: a model above it has learned nothing
_LITTLE, _MUCH = 0.5, 0.9  # skill against the mean image
_HEART = 0.5  # a model with less than this part of its test error on the training films has learned them by heart
_FAST = 0.8  # change from one frame to the next, in units of the mean image's error, that is too large to follow
_SLOW = 0.3  # change over a whole window, in the same units, that is too small to learn from


def verdict(results: FrameResults) -> list[str]:
    """Says how well a model of frames has learned the user's films.

    Args:
      results: The results of a run.

    Returns:
      Sentences, the most important one first: whether the model beats a still image, its skill, how far it holds beyond
      the window, and what to try if that is not far. Empty for a simulated data set.
    """
    if results.videos is None:
        return []
    if not results.test.reference["mean_image"].mse > 0.0:
        return ["Nothing moves in the held-out films, so there was nothing to learn."]
    skill = _skill(results)
    ratio, name = _beside_still_image(results)
    learned = ratio < _NOTHING
    if not learned:
        sentences = [
            f"The model is no better than a still image: on the held-out films its squared error is {ratio:.2g} times "
            f"that of the {name}.",
            f"Its skill against the mean image is {skill:.2f}, where 1 is perfect and 0 a still image.",
        ]
    else:
        part = "little" if skill < _LITTLE else "much" if skill < _MUCH else "nearly all"
        sentences = [
            f"The model has learned {part} of the motion: on the held-out films its skill against the mean image is "
            f"{skill:.2f}, where 1 is perfect and 0 a still image."
        ]
    sentences.append(_beyond_the_window(results))
    if not (learned and skill >= _LITTLE and _holds(results.beyond_the_clip)):
        sentences.append(f"What to try: {'; '.join(_advice(results))}.")
    return sentences


def print_verdict(results: FrameResults) -> None:
    """Prints the verdict on a run, a sentence a line, after an empty line; nothing for a simulated data set."""
    sentences = verdict(results)
    if sentences:
        print("", *sentences, sep="\n")


def _skill(results: FrameResults) -> float:
    return 1.0 - results.test.mse / results.test.reference["mean_image"].mse


def _beside_still_image(results: FrameResults) -> tuple[float, str]:
    """Returns the error of the model relative to that of the best still image, and the name of that image."""
    errors = {name: results.test.reference[name].mse for name in _STILL_IMAGES}
    best = min(errors, key=errors.get)
    return (results.test.mse / errors[best] if errors[best] else float("inf")), REFERENCES[best]


def _beyond_the_window(results: FrameResults) -> str:
    beyond = results.beyond_the_clip
    if beyond is None or not any(beyond.num_steps):
        length = len(results.test.mse_per_step)
        return f"How long it holds beyond a window of {length} frames is not known: the held-out films are no longer."
    if None in beyond.horizon:
        return "How long it holds beyond the window is not known: its predictions are not finite."
    (after, before), (most_after, most_before) = beyond.horizon, beyond.num_steps
    return (
        f"Beyond the window it holds for {after:g} of {most_after} frames forwards and {before:g} of {most_before} "
        f"backwards (median over the held-out films; it holds while its squared "
        f"error is below {1.0 - beyond.horizon_threshold:.0%} of the mean image's)."
    )


def _holds(beyond: BeyondTheClip | None) -> bool:
    """Returns whether predictions hold for half of the frames beyond the window, or that is not known."""
    if beyond is None:
        return True
    horizons = zip(beyond.horizon, beyond.num_steps, strict=True)
    return all(steps is not None and steps >= 0.5 * most for steps, most in horizons)


def _advice(results: FrameResults) -> list[str]:
    """Returns what may help, beginning with what the numbers point to."""
    test, videos, advice = results.test, results.videos, []
    mean_image, changes = test.reference["mean_image"].mse, test.reference["first_frame"].mse_per_step
    if results.train.mse < _HEART * test.mse:
        windows = ", or more windows of them (a smaller --config.data.stride)" if videos.stride != 1 else ""
        advice.append(f"more films{windows}, since the training films are predicted far better than the held-out ones")
    if len(changes) > 1 and changes[1] > _FAST * mean_image:
        remedy = "a smaller --config.data.frame_step" if videos.frame_step != 1 else "filmed faster"
        advice.append(
            f"more frames per second ({remedy}), since one frame differs from the next nearly as much as from the mean "
            "image"
        )
    if max(changes) < _SLOW * mean_image:
        advice.append(
            "a larger --config.data.frame_step or --config.data.num_steps, since little moves within a window"
        )
    advice.append(f"more than {results.run.steps} steps (--config.training.num_steps)")
    if videos.crop is None:
        advice.append("a crop to where things move (--config.data.fit=motion)")
    if results.model is None:  # an HGN
        advice.append(
            "a wider state (--config.state_channels), or one of another kind, keypoints or a vector (--config.latent; "
            "docs/own_data.md says when)"
        )
    return advice
