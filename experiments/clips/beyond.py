"""A model of frames beyond the clip: how long it stays right, what its state knows, and what it samples.

Test clips are extended by the simulator at both ends. The model sees a window in the middle of each clip and is rolled
out both ways, far beyond the ends of the clip. Its frames are compared with the expected images given the true states,
so that a skill of 1 can be reached. Films are taken as they are, and compared with their own frames.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import numpy as np

from experiments.clips.config import NUM_LONG_CLIPS
from experiments.clips.data import Clips
from experiments.clips.long_clips import LongClips, extend, first_examples, take_films
from experiments.clips.long_rollouts import Comparison, Rollout, compare, median_steps, roll_out
from experiments.clips.oscillation import Oscillation, measure_oscillation
from experiments.clips.prediction import CompiledDynamics
from experiments.clips.reconstruction import NO_TRUE_STATES, Reconstructions
from experiments.clips.results import BeyondTheClip, Latent
from experiments.clips.sampled_states import SampledStates, measure_samples
from experiments.run.trainer import Run
from hgn_jax.metrics import beyond_clip, prediction

STEPS = (10, 30, 60, 100)  # steps beyond the clip at which the skill is reported
_MIN_CLIPS = 8  # fewer long clips than these are made shorter
_REENCODING_SHIFT = 12  # frames from the window to those where states are inferred again
_NUM_CLIPS_SHOWN = 3
_NOT_FINITE = "the rollouts of the model leave the range of numbers"


class BeyondShown(NamedTuple):
    """The measurements beyond the clip that the report draws.

    Attributes:
      skill: Skill of the frames at each time of the long clips, `[time]`.
      clip: Indices of the first frame of the clip and of the first one after it.
      window: The same of the window that the model sees.
      threshold: Skill at which the horizon ends.
      rolled_out: States rolled out to other windows, `[n, 2]`, in the two axes in which inferred states vary most.
      inferred: States inferred from these windows, in the same axes.
      targets: Some long clips, `[clips, time, size, size, 3]`.
      images: Their predictions.
      divergence: Skill of the true system from a slightly wrong start, `[time]`, by name; only for chaotic systems.
      oscillation: Periods against amplitudes; None for systems whose period is not known.
      samples: Energies of samples and of test clips; None for a model without a distribution of states.
    """

    skill: np.ndarray
    clip: tuple[int, int]
    window: tuple[int, int]
    threshold: float
    rolled_out: np.ndarray
    inferred: np.ndarray
    targets: np.ndarray
    images: np.ndarray
    divergence: Mapping[str, np.ndarray]
    oscillation: Oscillation | None
    samples: SampledStates | None


class Shown(NamedTuple):
    """Everything that the report of a model of frames draws.

    Attributes:
      reconstructions: Reconstructions by split.
      beyond: Predictions beyond the clips.
      law: Draws the law that was read off; None where there is none.
    """

    reconstructions: Mapping[str, Reconstructions]
    beyond: BeyondShown
    law: Callable[[], Any] | None = None


def measure_beyond_the_clip(
    run: Run, dynamics: CompiledDynamics, latent: Latent | None
) -> tuple[BeyondTheClip, BeyondShown]:
    """Measures a trained model on long test clips.

    Args:
      run: The run.
      dynamics: Its model.
      latent: SyMetric, measured already; None if it could not be.
    """
    print("measuring predictions, states and samples beyond the clip")
    clips: Clips = run.data
    max_steps, num_frames = max(run.config.evaluation.horizons), clips.num_frames
    if clips.has_true_states:
        long_clips = extend_clips(clips, max_steps)
    else:
        long_clips = take_films(clips, num_frames, max_steps, NUM_LONG_CLIPS)
    targets = long_clips.expected_images(clips.metadata)
    first_seen = long_clips.margins[0] + (num_frames - dynamics.num_seen) // 2
    rollout = roll_out(dynamics, long_clips.frames, first_seen)
    comparison = compare(clips, long_clips, targets, rollout)
    rolled_out, inferred = _reencode(dynamics, long_clips.frames, rollout)
    oscillation = measure_oscillation(clips, long_clips, rollout.states) if clips.has_true_states else None
    samples = measure_samples(clips, dynamics, targets)
    measured = BeyondTheClip(
        **measure_frames(comparison),
        **_measure_states(dynamics, long_clips, rollout, comparison.clip),
        reencoding_error=_number(beyond_clip.reencoding_error(rolled_out, inferred)) if len(inferred) > 1 else None,
        samples=samples and samples.numbers,
        period_error=oscillation and _number(oscillation.error),
        symetric=latent and latent.score,
        law=None,
        num_clips=len(targets),
        left_out=long_clips.left_out,
        not_measured={},
    )
    measured.not_measured = _reasons(clips, dynamics, measured)
    axes = _principal_axes(inferred)
    shown = BeyondShown(
        skill=comparison.skill(comparison.errors),
        clip=(comparison.clip.start, comparison.clip.stop),
        window=(first_seen, first_seen + dynamics.num_seen),
        threshold=comparison.threshold,
        rolled_out=rolled_out @ axes,
        inferred=inferred @ axes,
        targets=targets[:_NUM_CLIPS_SHOWN],
        images=rollout.images[:_NUM_CLIPS_SHOWN],
        divergence={
            f"true system, start {level:.1%} off": comparison.skill(errors)
            for level, errors in comparison.diverged.items()
        },
        oscillation=oscillation,
        samples=samples,
    )
    return measured, shown


def measure_frames(comparison: Comparison) -> dict[str, Any]:
    """The fields of `BeyondTheClip` that are about frames."""
    after, before = comparison.sides(comparison.errors)
    return {
        "skill": _number(comparison.skill(comparison.errors)[comparison.clip].mean()),
        "skill_forward": _numbers(beyond_clip.skill_at(after, comparison.scale, STEPS)),
        "skill_backward": _numbers(beyond_clip.skill_at(before, comparison.scale, STEPS)),
        "vpt": [median_steps(prediction.valid_steps, side) for side in comparison.sides(comparison.relative)],
        "horizon": comparison.horizons(comparison.errors),
        "horizon_threshold": comparison.threshold,
        "true_horizon": {str(level): comparison.horizons(errors) for level, errors in comparison.diverged.items()}
        or None,
        "num_steps": [after.shape[1], before.shape[1]],
    }


def _measure_states(dynamics: CompiledDynamics, long_clips: LongClips, rollout: Rollout, clip: slice) -> dict[str, Any]:
    """The fields of `BeyondTheClip` that are about states, except for their re-encoding."""
    states = rollout.states[:, clip]
    window = long_clips.frames[:, rollout.first_seen : rollout.first_seen + dynamics.num_seen]
    return {
        "clock_share": _number(beyond_clip.clock_share(states)) if len(states) > 1 else None,
        "kl_nats": None if dynamics.dynamics.kl is None else _number(np.mean(dynamics.kl(window))),
        "true_dimensions": None if long_clips.q is None else 2 * long_clips.q.shape[-1],
        "energy_rank_correlation": _energy_correlation(dynamics, long_clips, rollout),
    }


def extend_clips(clips: Clips, max_steps: int) -> LongClips:
    """Extends test clips at both ends by `max_steps`, or by fewer if float64 cannot follow enough of them so far."""
    examples = first_examples(clips, NUM_LONG_CLIPS, clips.num_frames)
    for num_steps in (max_steps, *(step for step in reversed(STEPS) if step < max_steps), 0):
        long_clips = extend(clips, examples, num_steps, num_steps)
        if long_clips is not None and len(long_clips.frames) >= min(_MIN_CLIPS, len(examples)):
            break
    return long_clips


def _reencode(dynamics: CompiledDynamics, frames: np.ndarray, rollout: Rollout) -> tuple[np.ndarray, np.ndarray]:
    """States rolled out to the middle of a later and of an earlier window, `[n, d]`, and those inferred there."""
    first, last = rollout.first_seen, frames.shape[1] - dynamics.num_seen - rollout.first_seen
    to_middle = (dynamics.num_seen - 1) // 2
    rolled_out, inferred = [rollout.states[:0, 0]], [rollout.states[:0, 0]]
    for shift in (min(_REENCODING_SHIFT, last), -min(_REENCODING_SHIFT, first)):
        if shift:
            window = frames[:, first + shift : first + shift + dynamics.num_seen]
            path = dynamics.infer_path(window, 0, dynamics.num_seen)
            middle = jax.tree.map(lambda x: x[to_middle], path)
            inferred.append(dynamics.coordinates(middle, 1))
            rolled_out.append(rollout.states[:, first + shift + to_middle])
    return np.concatenate(rolled_out), np.concatenate(inferred)


def _principal_axes(states: np.ndarray) -> np.ndarray:
    """The two orthonormal axes `[d, 2]` in which finite states vary most."""
    centred = states - states.mean(axis=0, keepdims=True) if len(states) else states
    if not len(states) or not np.isfinite(centred).all():
        return np.eye(states.shape[1], 2)
    return np.linalg.svd(centred, full_matrices=False)[2][:2].T


def _energy_correlation(dynamics: CompiledDynamics, long_clips: LongClips, rollout: Rollout) -> float | None:
    if long_clips.q is None:
        return None
    start = jax.tree.map(lambda x: x[rollout.first_seen], rollout.path)
    time = rollout.first_seen - long_clips.margins[0]
    true = np.array([example["energy"][time] for example in long_clips.examples])
    learned = dynamics.energy(start)
    if not np.isfinite(learned).all() or np.ptp(learned) == 0 or np.ptp(true) == 0:
        return None
    return _number(beyond_clip.rank_correlation(learned, true))


def _number(value: float | None) -> float | None:
    """A finite number, or None."""
    return None if value is None or not np.isfinite(value) else float(value)


def _numbers(values: Mapping[str, float | None]) -> dict[str, float | None]:
    return {name: _number(value) for name, value in values.items()}


def _reasons(clips: Clips, dynamics: CompiledDynamics, measured: BeyondTheClip) -> dict[str, str]:
    """The reasons why fields are None or hold None."""
    known = {
        "clock_share": "needs two long clips",
        "reencoding_error": "needs frames beyond those that the model sees",
        "kl_nats": "the model has no posterior",
        "samples": "the model has no distribution of states",
        "period_error": "needs a pendulum or a mass on a spring, without friction and with the same constants in all "
        "clips, whose rollouts oscillate at least twice",
        "law": "needs points in the picture as a state, and a law to compare with",
        "symetric": "see SyMetric",
    }
    if dynamics.dynamics.kl is not None:
        known.pop("kl_nats")
    if not clips.has_true_states:
        known |= dict.fromkeys(
            ("true_dimensions", "energy_rank_correlation", "symetric", "period_error"), NO_TRUE_STATES
        )
        known["law"] = "see the learned potential: there is no true law to compare with"
    for side, steps in zip(("skill_forward", "skill_backward"), measured.num_steps, strict=True):
        if steps < max(STEPS):
            known[side] = f"the clips have {steps} frames beyond on this side"
    for field in ("vpt", "horizon"):
        if not all(measured.num_steps):
            known[field] = "needs frames beyond the clip"
    reasons = {}
    for name, value in vars(measured).items():
        if name == "true_horizon" and value is None:  # asked of chaotic systems only
            continue
        parts = value.values() if isinstance(value, dict) else value if isinstance(value, list) else [value]
        if any(part is None for part in parts):
            reasons[name] = known.get(name, _NOT_FINITE)
    return reasons
