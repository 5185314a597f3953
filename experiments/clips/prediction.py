"""What is measured of any model that infers a state from frames and rolls it out.

How long its predictions stay valid, and whether its states are a canonical transformation of the true ones.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np

from data_builders.rendering import images as rendering
from data_builders.simulation import continuation
from experiments.run.experiment import Experiment
from hgn_jax.metrics import prediction as prediction_metrics
from hgn_jax.metrics.symetric import symetric
from hgn_jax.physics.phase_space import PhaseState
from hgn_jax.training import loop as training

_NUM_TRAJECTORIES = 32  # whose predictions are followed
_NUM_LATENT_POINTS = 2000
_FRAMES_AT_A_TIME = 256  # decoded, which bounds the memory
_FARTHEST = max(prediction_metrics.HORIZONS)
NO_TRUE_STATES = "needs the true states, which videos do not tell"
_ALL_SEEN = "needs frames beyond those that the model sees, and the clips have no more"
_NOT_FOLLOWED = "needs the trajectories beyond the clips, farther than float64 can follow them"


class LatentDynamics(NamedTuple):
    """A trained model of frames, as pure functions that infer a state, roll it out and draw it.

    Attributes:
      params: of the model.
      num_seen: frames that a state is inferred from.
      dt: between frames.
      infer: `(params, frames [examples, num_seen, size, size, 3]) -> PhaseState [examples, ...]` at the first of them.
      rollout: `(params, state, num_steps, dt) -> path [num_steps + 1, examples, ...]`.
      decode: `(params, states [n, ...]) -> images [n, size, size, 3]`.
    """

    params: Any
    num_seen: int
    dt: float
    infer: Callable[[Any, Any], PhaseState]
    rollout: Callable[..., PhaseState]
    decode: Callable[[Any, PhaseState], Any]


class _LongClips(NamedTuple):
    """Clips that begin and end with frames that may only be predicted.

    Attributes:
      frames: as they are seen, uint8 `[clips, time, size, size, 3]`.
      targets: what should be predicted, float32 in [0, 1].
      margins: how many may only be predicted, at the start and at the end.
    """

    frames: np.ndarray
    targets: np.ndarray
    margins: tuple[int, int]


def has_true_states(metadata: Mapping[str, Any]) -> bool:
    """Whether a data set's metadata tell of what its images are drawn, so that its examples have true states."""
    return "canvas" in metadata


def gather(*parts: Mapping[str, Any]) -> dict[str, Any]:
    """The entries of all parts of the results, and together what all of them say is `not_measured`."""
    reasons = {name: why for part in parts for name, why in part.get("not_measured", {}).items()}
    together = {name: value for part in parts for name, value in part.items()}
    return together | ({"not_measured": reasons} if reasons else {})


def measure_prediction(experiment: Experiment, dynamics: LatentDynamics) -> dict[str, Any]:
    """How long predictions of test clips stay valid, forwards after the frames seen and backwards before them.

    Where the true states are known, clips that are too short for the horizons are carried on by the simulator: the
    model sees frames of the data set, and predicts those that would have followed, or had been before. It is compared
    with the noise-free frames of the true states, as in some of the data sets the observation noise, which nobody can
    predict, is above the threshold of validity by itself. Videos are taken as they are.

    Returns:
      `prediction`, see `prediction_metrics.valid_prediction_times`; `mean_image_prediction`, the same of the best
      constant image; and `prediction_clips`, what they were measured on. Or empty times, and in `not_measured` why.
    """
    metadata, test = experiment.data.metadata, experiment.data.splits["test"]
    examples = test.__getitems__(list(range(min(_NUM_TRAJECTORIES, len(test)))))
    simulated = has_true_states(metadata)
    clips = (_carried_on if simulated else _as_stored)(metadata, examples, dynamics.num_seen)
    if clips is None:
        return _not_measured(_NOT_FOLLOWED)
    how = (clips.frames, dynamics.num_seen, prediction_metrics.HORIZONS, clips.targets, clips.margins)
    if not prediction_metrics.horizons_within(clips.frames.shape[1] - max(clips.margins), dynamics.num_seen):
        return _not_measured(_ALL_SEEN)
    mean_image = clips.targets.mean(axis=(0, 1))

    def constant(frames: np.ndarray, num_steps: int, backward: bool) -> np.ndarray:
        del backward
        return np.broadcast_to(mean_image, (len(frames), num_steps + 1, *mean_image.shape))

    return {
        "prediction": prediction_metrics.valid_prediction_times(_predictor(dynamics, clips.frames), *how),
        "mean_image_prediction": prediction_metrics.valid_prediction_times(constant, *how),
        "prediction_clips": {
            "num_examples": len(clips.frames),
            "left_out": len(examples) - len(clips.frames),
            "compared_with": "noise-free frames" if simulated else "observed frames",
            "simulated_steps": dict(zip(("before", "after"), clips.margins, strict=True)),
        },
    }


def _not_measured(reason: str) -> dict[str, Any]:
    return {"prediction": {"forward": {}, "backward": {}}, "not_measured": {"valid_prediction_time": reason}}


def _as_stored(metadata: Mapping[str, Any], examples: Sequence[Mapping[str, Any]], num_seen: int) -> _LongClips:
    del metadata
    frames = np.stack([example["image"][: num_seen + _FARTHEST] for example in examples])
    return _LongClips(frames, frames.astype(np.float32) / 255.0, (0, 0))


def _carried_on(metadata: Mapping[str, Any], examples: Sequence[Mapping[str, Any]], num_seen: int) -> _LongClips | None:
    """With as many steps more at both ends as they are too short; None if none can be followed so far."""
    enough = num_seen + _FARTHEST
    cut = [{**x, **{name: x[name][:enough] for name in ("image", "q", "p")}} for x in examples]
    missing = enough - len(cut[0]["image"])
    found = continuation.lengthen(metadata, cut, missing, missing)
    if not found:
        return None
    frames, q = (np.stack([x[name] for x in found]) for name in ("image", "q"))
    names = rendering.scene_features(metadata)
    look = rendering.Look(*(np.stack([x[name] for x in found]) for name in names)) if names else None
    targets = rendering.render(rendering.canvas_from_metadata(metadata), q, look)
    return _LongClips(frames, targets.astype(np.float32) / 255.0, (missing, missing))


def _predictor(dynamics: LatentDynamics, clips: np.ndarray) -> prediction_metrics.Predict:
    """Compiled for that many clips."""
    params = dynamics.params
    frames = jax.ShapeDtypeStruct((len(clips), dynamics.num_seen, *clips.shape[2:]), clips.dtype)
    infer = training.compile_for_backend(jax.jit(dynamics.infer), params, frames)
    state = jax.eval_shape(dynamics.infer, params, frames)
    block = jax.tree.map(lambda x: jax.ShapeDtypeStruct((_FRAMES_AT_A_TIME, *x.shape[1:]), x.dtype), state)
    decode = training.compile_for_backend(jax.jit(dynamics.decode), params, block)
    rollout = jax.jit(dynamics.rollout, static_argnums=(2, 3))

    def predict(frames: np.ndarray, num_steps: int, backward: bool) -> np.ndarray:
        how = (num_steps, -dynamics.dt if backward else dynamics.dt)
        unrolled = training.compile_for_backend(rollout, params, state, *how)
        path = jax.tree.map(np.asarray, unrolled(params, infer(params, frames)))
        return np.swapaxes(_decoded(lambda states: decode(params, states), path), 0, 1)

    return predict


def _decoded(decode: Callable[[PhaseState], Any], path: PhaseState) -> np.ndarray:
    """Images `[time, examples, ...]` of a path, drawn so many at a time."""
    outer = path.q.shape[:2]
    states, size = jax.tree.map(lambda x: x.reshape(-1, *x.shape[2:]), path), _FRAMES_AT_A_TIME
    images = []
    for first in range(0, len(states.q), size):
        part = jax.tree.map(lambda x, first=first: x[first : first + size], states)
        padding = size - len(part.q)
        whole = jax.tree.map(lambda x, n=padding: np.pad(x, [(0, n)] + [(0, 0)] * (x.ndim - 1)), part)
        images.append(np.asarray(decode(whole))[: len(part.q)])
    images = np.concatenate(images)
    return images.reshape(*outer, *images.shape[1:])


def measure_latents(
    latents: PhaseState, examples: Mapping[str, np.ndarray], variance: np.ndarray | None = None
) -> dict[str, Any]:
    """SyMetric between inferred states and the true ones at the same times.

    Args:
      latents: `[examples, time, ...]`.
      examples: the true `q` and `p`, `[examples, time or more, d]`; none for videos.
      variance: of the posterior of each latent, `[examples, latents]`, q before p; None where they have none.

    Returns:
      `latent`, see `latent_metrics.SyMetric`, None for what is not finite; or in `not_measured` why there is none.
    """
    if "q" not in examples:
        return {"not_measured": {"SyMetric": NO_TRUE_STATES}}
    num_times = latents.q.shape[1]
    true = [examples[name][:, :num_times] for name in ("q", "p")]
    latents, states = (
        np.concatenate([np.reshape(half, (half.shape[0] * num_times, -1)) for half in halves], axis=-1)
        for halves in (latents, true)
    )
    chosen = np.linspace(0, len(states) - 1, min(len(states), _NUM_LATENT_POINTS)).astype(int)
    try:
        found = symetric(latents[chosen], states[chosen], variance)._asdict()
    except ValueError as error:  # too few, or all the same
        return {"not_measured": {"SyMetric": str(error)}}
    return {"latent": {name: value if np.isfinite(value) else None for name, value in found.items()}}
