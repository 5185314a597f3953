"""Prediction beyond the clip, and the quality of the latent space, for any model that infers a state from frames."""

import hashlib
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import numpy as np

from experiments.clips.config import NUM_LONG_CLIPS
from experiments.clips.data import Clips
from experiments.clips.long_clips import NOT_FOLLOWED, LongClips, extend, first_examples, take_films
from experiments.clips.reconstruction import NO_TRUE_STATES
from experiments.clips.results import Latent, PredictionClips, PredictionTime, PredictionTimes
from experiments.run.trainer import Run
from hgn_jax.metrics import prediction
from hgn_jax.metrics.symetric import symetric
from hgn_jax.physics.phase_space import PhaseState
from hgn_jax.training import compile_for_backend

_NUM_LATENT_POINTS = 2000
_CLIPS_PER_CALL, _FRAMES_PER_CALL = 32, 256  # seen and decoded at once, which bounds the memory
_ROLLOUT_STEPS = (30, 60, 150)  # lengths that are compiled, for shorter rollouts too
_NO_FRAMES_BEYOND = "needs frames beyond those that the model sees, and the films have no more"


class LatentDynamics(NamedTuple):
    """A trained model of frames, as functions that infer a state, roll it out and decode it.

    Attributes:
      params: Parameters of the model.
      num_seen: Number of frames that a state is inferred from.
      dt: Time between frames.
      infer: `(params, frames [examples, num_seen, size, size, 3]) -> PhaseState [examples, ...]` at the frame `anchor`.
      rollout: `(params, state, num_steps, dt) -> path [num_steps + 1, examples, ...]`.
      decode: `(params, states [n, ...]) -> images [n, size, size, 3]`.
      energy: `(params, states [n, ...]) -> energies [n]`, the learned Hamiltonian.
      kl: `(params, frames) -> nats [examples]`, the KL divergence of the posterior from its prior; None if there is no
        posterior.
      sample: `(params, key, n) -> states [n, ...]`, drawn from the model's distribution of states; None if there is
        none.
      affordable_clips: Number of clips whose states can be inferred in about a minute; None for thousands.
      angles: Whether positions are angles. States are then compared by points on the circle.
      anchor: Index of the frame, among those seen, at which states are inferred.
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
    affordable_clips: int | None = None
    angles: bool = False
    anchor: int = 0


class CompiledDynamics:
    """The functions of a model, compiled and applied to blocks of clips.

    Inferred states are remembered by their frames: refining them is slow, and several measurements see the same frames.

    Args:
      dynamics: The model.
    """

    def __init__(self, dynamics: LatentDynamics):
        self.dynamics = dynamics
        self.num_seen, self.dt, self.anchor = dynamics.num_seen, dynamics.dt, dynamics.anchor
        self._inferred: dict[Any, PhaseState] = {}
        self._compiled: dict[Any, Callable[..., Any]] = {}

    def infer(self, frames: np.ndarray) -> PhaseState:
        """Infers states `[examples, ...]` at the `anchor` of the frames seen, `[examples, num_seen, size, size, 3]`."""
        key = (frames.shape, hashlib.sha256(np.ascontiguousarray(frames)).digest())
        if key not in self._inferred:
            self._inferred[key] = self._in_blocks(self.dynamics.infer, frames, _CLIPS_PER_CALL)
        return self._inferred[key]

    def rollout(self, state: PhaseState, num_steps: int, dt: float) -> PhaseState:
        """Rolls states `[examples, ...]` out into a path `[num_steps + 1, examples, ...]`.

        Rollouts of similar lengths and both directions are compiled once, because that takes longer than the steps.
        """
        if num_steps == 0:
            return jax.tree.map(lambda x: np.asarray(x)[None], state)
        longer = next((steps for steps in _ROLLOUT_STEPS if steps >= num_steps), num_steps)
        key, dt = ("rollout", len(state.q), longer), np.float32(dt)
        if key not in self._compiled:
            function = jax.jit(self.dynamics.rollout, static_argnums=2)
            self._compiled[key] = compile_for_backend(function, self.dynamics.params, state, longer, dt)
        return jax.tree.map(
            lambda x: np.asarray(x)[: num_steps + 1], self._compiled[key](self.dynamics.params, state, dt)
        )

    def infer_path(self, frames: np.ndarray, first: int, length: int) -> PhaseState:
        """Infers states from frames seen, and rolls them out both ways into paths `[length, examples, ...]`.

        The first frame seen is at `first`. Rolled back to it and from there forwards, states of a chaotic system would
        not return to where they were inferred, unless the integrator is reversible.
        """
        return self.path_through(self.infer(frames), first + self.anchor, length)

    def path_through(self, state: PhaseState, index: int, length: int) -> PhaseState:
        """Rolls states out both ways into paths `[length, examples, ...]`, on which they stand at `index`."""
        before = self.rollout(state, index, -self.dt)
        after = self.rollout(state, length - index - 1, self.dt)
        return jax.tree.map(lambda x, y: np.concatenate([x[:0:-1], y]), before, after)

    def decode(self, path: PhaseState) -> np.ndarray:
        """Decodes a path `[time, examples, ...]` into images `[examples, time, size, size, 3]`."""
        outer = path.q.shape[:2]
        states = jax.tree.map(lambda x: x.reshape(-1, *x.shape[2:]), path)
        images = self._in_blocks(self.dynamics.decode, states, _FRAMES_PER_CALL)
        return np.swapaxes(images.reshape(*outer, *images.shape[1:]), 0, 1)

    def coordinates(self, states: PhaseState, num_axes: int) -> np.ndarray:
        """Returns states as one array `[..., d]` that keeps the first axes: the positions, then all entries of p."""
        return np.concatenate(
            [self.positions(states.q, num_axes), np.reshape(states.p, (*states.p.shape[:num_axes], -1))], axis=-1
        )

    def positions(self, q: np.ndarray, num_axes: int) -> np.ndarray:
        """Returns positions as one array `[..., d]` that keeps the first axes.

        An angle gives two entries, its sine and its cosine, because angles that differ by 2π are the same place.
        """
        q = np.reshape(q, (*q.shape[:num_axes], -1))
        return np.concatenate([np.sin(q), np.cos(q)], axis=-1) if self.dynamics.angles else q

    def unwound(self, path: PhaseState) -> PhaseState:
        """Takes whole turns off the angles of paths `[time, examples, ...]`, so that each begins between -π and π."""
        if not self.dynamics.angles:
            return path
        return path._replace(q=path.q - 2 * np.pi * np.round(path.q[:1] / (2 * np.pi)))

    def energy(self, states: PhaseState) -> np.ndarray:
        """Computes the learned energies `[n]` of states `[n, ...]`, in float64 for statistics."""
        return np.asarray(jax.jit(self.dynamics.energy)(self.dynamics.params, states), np.float64)

    def kl(self, frames: np.ndarray) -> np.ndarray:
        """Computes the KL divergences in nats, `[examples]`, of the posteriors for frames that are seen."""
        return self._in_blocks(self.dynamics.kl, frames, _CLIPS_PER_CALL)

    def _in_blocks(self, function: Callable[[Any, Any], Any], arguments: Any, size: int) -> Any:
        """Applies `function(params, arguments)` to blocks of the first axis, all of one size, with padding."""
        number = len(jax.tree.leaves(arguments)[0])
        results = []
        for first in range(0, number, size):
            block = jax.tree.map(lambda x, first=first: x[first : first + size], arguments)
            missing = max(0, first + size - number)
            block = jax.tree.map(lambda x, n=missing: np.pad(x, [(0, n)] + [(0, 0)] * (x.ndim - 1), mode="edge"), block)
            if function not in self._compiled:
                self._compiled[function] = compile_for_backend(jax.jit(function), self.dynamics.params, block)
            result = self._compiled[function](self.dynamics.params, block)
            results.append(jax.tree.map(lambda x, n=size - missing: np.asarray(x)[:n], result))
        return jax.tree.map(lambda *parts: np.concatenate(parts), *results)


def measure_prediction(run: Run, dynamics: CompiledDynamics) -> dict[str, Any]:
    """Measures how long predictions of test clips stay valid, after the seen frames and before them.

    Where the true states are known, the simulator extends clips that are too short: the model sees frames of the data
    set, and predicts those that would have followed, or come before. They are compared with the noise-free frames of
    the true states, because in some data sets the observation noise alone exceeds the threshold of validity. Of videos
    the frames beyond those seen are taken as they are.

    Returns:
      Fields of `FrameResults`: `prediction`, `mean_image_prediction` and `prediction_clips`; or `prediction`, empty,
      and in `not_measured` the reason.
    """
    clips, horizons = run.data, run.config.evaluation.horizons
    make_clips = _extended if clips.has_true_states else _as_filmed
    long_clips, margins = make_clips(clips, dynamics.num_seen, max(horizons))
    if long_clips is None:
        return _not_measured(NOT_FOLLOWED)
    frames, targets = long_clips.frames, long_clips.noise_free
    if not prediction.horizons_within(frames.shape[1] - max(margins), dynamics.num_seen, horizons):
        return _not_measured(_NO_FRAMES_BEYOND)
    mean_image = targets.mean(axis=(0, 1))

    def predict(frames: np.ndarray, num_steps: int, backward: bool) -> np.ndarray:
        if not backward:
            return dynamics.decode(dynamics.infer_path(frames, 0, num_steps + 1))
        path = dynamics.infer_path(frames, num_steps, num_steps + dynamics.anchor + 1)
        return dynamics.decode(jax.tree.map(lambda x: x[num_steps::-1], path))

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
        "prediction": times(predict),
        "mean_image_prediction": times(predict_mean_image),
        "prediction_clips": PredictionClips(
            num_examples=len(frames),
            left_out=long_clips.left_out,
            compared_with="noise-free frames" if clips.has_true_states else "observed frames",
            simulated_steps=dict(zip(("before", "after"), margins, strict=True)),
        ),
    }


def _not_measured(reason: str) -> dict[str, Any]:
    return {"prediction": {"forward": {}, "backward": {}}, "not_measured": {"valid_prediction_time": reason}}


def _as_filmed(clips: Clips, num_seen: int, horizon: int) -> tuple[LongClips, tuple[int, int]]:
    """Long clips of films, and the number of frames at both ends that may only be predicted: none."""
    films = take_films(clips, num_seen, horizon, NUM_LONG_CLIPS)
    length = min(films.frames.shape[1], num_seen + horizon)
    return films._replace(frames=films.frames[:, :length], noise_free=films.noise_free[:, :length]), (0, 0)


def _extended(clips: Clips, num_seen: int, horizon: int) -> tuple[LongClips | None, tuple[int, int]]:
    """Clips extended at both ends to the required length, and the number of frames added; None if none can be."""
    length = num_seen + horizon
    examples = first_examples(clips, NUM_LONG_CLIPS, length)
    missing = length - len(examples[0]["image"])
    return extend(clips, examples, missing, missing), (missing, missing)


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
