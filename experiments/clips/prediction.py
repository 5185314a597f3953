"""Prediction beyond the clip, and the quality of the latent space, for any model that infers a state from frames."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np

from data_builders.rendering import images as rendering
from data_builders.simulation import continuation
from experiments.clips.data import Clips
from experiments.clips.reconstruction import NO_TRUE_STATES
from experiments.clips.results import Latent, PredictionClips, PredictionTime, PredictionTimes
from experiments.run.trainer import Run
from hgn_jax.metrics import prediction
from hgn_jax.metrics.symetric import symetric
from hgn_jax.physics.phase_space import PhaseState
from hgn_jax.training import compile_for_backend

_NUM_TRAJECTORIES = 32  # whose predictions are followed
_NUM_LATENT_POINTS = 2000
_FRAMES_PER_CALL = 256  # decoded at once, which bounds the memory
_NO_FRAMES_BEYOND = "needs frames beyond those that the model sees, and the clips have no more"
_NOT_FOLLOWED = "needs the trajectories beyond the clips, farther than float64 can follow them"


class LatentDynamics(NamedTuple):
    """A trained model of frames, as functions that infer a state, roll it out and decode it.

    Attributes:
      params: Parameters of the model.
      num_seen: Number of frames that a state is inferred from.
      dt: Time between frames.
      infer: `(params, frames [examples, num_seen, size, size, 3]) -> PhaseState [examples, ...]` at the first frame.
      rollout: `(params, state, num_steps, dt) -> path [num_steps + 1, examples, ...]`.
      decode: `(params, states [n, ...]) -> images [n, size, size, 3]`.
      energy: `(params, states [n, ...]) -> energies [n]`, the learned Hamiltonian.
      kl: `(params, frames) -> nats [examples]`, the KL divergence of the posterior from its prior; None if there is no
        posterior.
      sample: `(params, key, n) -> states [n, ...]`, drawn from the model's distribution of states; None if there is
        none.
      infer_quickly: Same as `infer` without its refinement, for statistics over many clips; None if there is no
        refinement.
    """

    params: Any
    num_seen: int
    dt: float
    infer: Callable[[Any, Any], PhaseState]
    rollout: Callable[..., PhaseState]
    decode: Callable[[Any, PhaseState], Any]
    energy: Callable[[Any, PhaseState], Any]
    kl: Callable[[Any, Any], Any] | None = None
    sample: Callable[[Any, Any, int], PhaseState] | None = None
    infer_quickly: Callable[[Any, Any], PhaseState] | None = None


class _LongClips(NamedTuple):
    """Clips that begin and end with frames that may only be predicted.

    Attributes:
      frames: The frames as they are seen, uint8 `[clips, time, size, size, 3]`.
      targets: The frames that should be predicted, float32 in [0, 1].
      margins: Number of frames that may only be predicted, at the start and at the end.
    """

    frames: np.ndarray
    targets: np.ndarray
    margins: tuple[int, int]


def measure_prediction(run: Run, dynamics: LatentDynamics) -> dict[str, Any]:
    """Measures how long predictions of test clips stay valid, after the seen frames and before them.

    Where the true states are known, the simulator extends clips that are too short: the model sees frames of the data
    set, and predicts those that would have followed, or come before. They are compared with the noise-free frames of
    the true states, because in some data sets the observation noise alone exceeds the threshold of validity. Videos
    are taken as they are.

    Returns:
      Fields of `FrameResults`: `prediction`, `mean_image_prediction` and `prediction_clips`; or `prediction`, empty,
      and in `not_measured` the reason.
    """
    clips, horizons = run.data, run.config.evaluation.horizons
    test = clips.splits["test"]
    examples = test.__getitems__(list(range(min(_NUM_TRAJECTORIES, len(test)))))
    make_clips = _extended if clips.has_true_states else _as_stored
    long_clips = make_clips(clips, examples, dynamics.num_seen, max(horizons))
    if long_clips is None:
        return _not_measured(_NOT_FOLLOWED)
    frames, targets, margins = long_clips
    if not prediction.horizons_within(frames.shape[1] - max(margins), dynamics.num_seen, horizons):
        return _not_measured(_NO_FRAMES_BEYOND)
    mean_image = targets.mean(axis=(0, 1))

    def predict_mean_image(frames: np.ndarray, num_steps: int, backward: bool) -> np.ndarray:
        del backward
        return np.broadcast_to(mean_image, (len(frames), num_steps + 1, *mean_image.shape))

    def times(predict: prediction.Predict) -> PredictionTimes:
        measured = prediction.valid_prediction_times(predict, frames, dynamics.num_seen, horizons, targets, margins)
        return {
            direction: {horizon: PredictionTime(**time) for horizon, time in by_horizon.items()}
            for direction, by_horizon in measured.items()
        }

    return {
        "prediction": times(_predictor(dynamics, frames)),
        "mean_image_prediction": times(predict_mean_image),
        "prediction_clips": PredictionClips(
            num_examples=len(frames),
            left_out=len(examples) - len(frames),
            compared_with="noise-free frames" if clips.has_true_states else "observed frames",
            simulated_steps=dict(zip(("before", "after"), margins, strict=True)),
        ),
    }


def _not_measured(reason: str) -> dict[str, Any]:
    return {"prediction": {"forward": {}, "backward": {}}, "not_measured": {"valid_prediction_time": reason}}


def _as_stored(clips: Clips, examples: Sequence[Mapping[str, Any]], num_seen: int, horizon: int) -> _LongClips:
    del clips
    frames = np.stack([example["image"][: num_seen + horizon] for example in examples])
    return _LongClips(frames, frames.astype(np.float32) / 255.0, (0, 0))


def _extended(clips: Clips, examples: Sequence[Mapping[str, Any]], num_seen: int, horizon: int) -> _LongClips | None:
    """Extends each clip at both ends to the required length; None if none of the trajectories can be followed."""
    metadata, length = clips.metadata, num_seen + horizon
    cut = [{**example, **{name: example[name][:length] for name in ("image", "q", "p")}} for example in examples]
    missing = length - len(cut[0]["image"])
    extended = continuation.lengthen(metadata, cut, missing, missing)
    if not extended:
        return None
    frames, q = (np.stack([example[name] for example in extended]) for name in ("image", "q"))
    names = rendering.scene_features(metadata)
    look = rendering.Look(*(np.stack([example[name] for example in extended]) for name in names)) if names else None
    targets = rendering.render(rendering.canvas_from_metadata(metadata), q, look)
    return _LongClips(frames, targets.astype(np.float32) / 255.0, (missing, missing))


def _predictor(dynamics: LatentDynamics, clips: np.ndarray) -> prediction.Predict:
    """Compiles the prediction of the model for this number of clips."""
    params = dynamics.params
    frames = jax.ShapeDtypeStruct((len(clips), dynamics.num_seen, *clips.shape[2:]), clips.dtype)
    infer = compile_for_backend(jax.jit(dynamics.infer), params, frames)
    state = jax.eval_shape(dynamics.infer, params, frames)
    block = jax.tree.map(lambda x: jax.ShapeDtypeStruct((_FRAMES_PER_CALL, *x.shape[1:]), x.dtype), state)
    decode = compile_for_backend(jax.jit(dynamics.decode), params, block)
    rollout = jax.jit(dynamics.rollout, static_argnums=(2, 3))

    def predict(frames: np.ndarray, num_steps: int, backward: bool) -> np.ndarray:
        dt = -dynamics.dt if backward else dynamics.dt
        compiled = compile_for_backend(rollout, params, state, num_steps, dt)
        path = jax.tree.map(np.asarray, compiled(params, infer(params, frames)))
        return np.swapaxes(_decode_in_blocks(lambda states: decode(params, states), path), 0, 1)

    return predict


def _decode_in_blocks(decode: Callable[[PhaseState], Any], path: PhaseState) -> np.ndarray:
    """Decodes a path `[time, examples, ...]` into images `[time, examples, size, size, 3]`, a block at a time."""
    outer, size = path.q.shape[:2], _FRAMES_PER_CALL
    states = jax.tree.map(lambda x: x.reshape(-1, *x.shape[2:]), path)
    images = []
    for first in range(0, len(states.q), size):
        block = jax.tree.map(lambda x, first=first: x[first : first + size], states)
        missing = size - len(block.q)
        padded = jax.tree.map(lambda x, n=missing: np.pad(x, [(0, n)] + [(0, 0)] * (x.ndim - 1)), block)
        images.append(np.asarray(decode(padded))[: len(block.q)])
    images = np.concatenate(images)
    return images.reshape(*outer, *images.shape[1:])


def measure_latents(
    latents: PhaseState, examples: Mapping[str, np.ndarray], variance: np.ndarray | None = None
) -> dict[str, Any]:
    """Measures SyMetric between inferred states and the true ones at the same times.

    Args:
      latents: Inferred states, `[examples, time, ...]`.
      examples: True `q` and `p`, `[examples, time or more, d]`; neither for videos.
      variance: Posterior variance of each latent, `[examples, latents]`, q before p; None where there is none.

    Returns:
      Fields of `FrameResults`: `latent`; or in `not_measured` the reason why there is none.
    """
    if "q" not in examples:
        return {"not_measured": {"SyMetric": NO_TRUE_STATES}}
    num_times = latents.q.shape[1]
    true_states = [examples[name][:, :num_times] for name in ("q", "p")]
    latents, states = (
        np.concatenate([np.reshape(half, (half.shape[0] * num_times, -1)) for half in halves], axis=-1)
        for halves in (latents, true_states)
    )
    chosen = np.linspace(0, len(states) - 1, min(len(states), _NUM_LATENT_POINTS)).astype(int)
    try:
        measured = symetric(latents[chosen], states[chosen], variance)._asdict()
    except ValueError as error:  # too few points, or all of them equal
        return {"not_measured": {"SyMetric": str(error)}}
    return {"latent": Latent(**{name: value if np.isfinite(value) else None for name, value in measured.items()})}


def combine(*parts: Mapping[str, Any]) -> dict[str, Any]:
    """Combines fields of `FrameResults`; the reasons in `not_measured` are joined."""
    fields = {name: value for part in parts for name, value in part.items()}
    fields["not_measured"] = {name: why for part in parts for name, why in part.get("not_measured", {}).items()}
    return fields
