"""Periods of learned oscillations against their amplitudes, beside those of the true system."""

from typing import NamedTuple

import numpy as np

from experiments.clips.data import Clips
from experiments.clips.long_clips import LongClips
from hgn_jax.metrics import beyond_clip
from hgn_jax.physics import systems


class Oscillation(NamedTuple):
    """Periods of the long clips whose motion is an oscillation.

    Attributes:
      amplitudes: True amplitudes of the clips, in radians or in units of the system, `[clips]`.
      learned: Periods of the learned rollouts, `[clips]`; NaN for a rollout that does not oscillate.
      true: True periods, `[clips]`.
      error: Median relative error; infinite if half of the rollouts do not oscillate.
    """

    amplitudes: np.ndarray
    learned: np.ndarray
    true: np.ndarray
    error: float

    @property
    def swings(self) -> bool:
        """Whether a rollout oscillates."""
        return bool(np.isfinite(self.learned).any())


def measure_oscillation(clips: Clips, long_clips: LongClips, states: np.ndarray) -> Oscillation | None:
    """Measures the periods of learned rollouts.

    Args:
      clips: The data set.
      long_clips: Its long clips.
      states: Rollouts over these clips, `[clips, time, d]`. Their period is that of the coordinate in which they vary
        most.

    Returns:
      The periods; None for systems whose period is not known.
    """
    metadata = clips.metadata
    if metadata["system"] not in ("mass_spring", "pendulum") or metadata["damping"] or metadata["constant_ranges"]:
        return None
    energy = np.array([example["energy"][0] for example in long_clips.examples], np.float64)
    amplitudes, true = _amplitudes_and_periods(metadata, energy)
    if not np.isfinite(states).all():
        return Oscillation(amplitudes, np.full(len(true), np.nan), true, np.inf)
    centred = states - states.mean(axis=(0, 1))
    _, _, axes = np.linalg.svd(centred.reshape(-1, centred.shape[-1]), full_matrices=False)
    learned = beyond_clip.periods(centred @ axes[0], metadata["dt"])
    swings = np.isfinite(true)  # a pendulum with more energy turns over
    errors = np.abs(learned[swings] / true[swings] - 1.0)
    error = np.median(np.where(np.isfinite(errors), errors, np.inf)) if swings.any() else np.inf
    return Oscillation(amplitudes[swings], learned[swings], true[swings], float(error))


def _amplitudes_and_periods(metadata, energy: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Amplitudes and periods of true oscillations of these energies, NaN where there is none."""
    constants = systems.get_system(metadata["system"], **metadata["constants"]).constants
    if metadata["system"] == "mass_spring":
        k, m = constants["k"], constants["m"]
        return np.sqrt(2.0 * energy / k), np.full(len(energy), 2.0 * np.pi * np.sqrt(m / k))
    m, length = constants["m"], constants["l"]
    depth = constants["potential_factor"] * m * constants["g"] * length
    with np.errstate(invalid="ignore"):
        amplitudes = np.arccos(1.0 - energy / depth)
    return amplitudes, beyond_clip.pendulum_period(amplitudes, np.sqrt(depth / (m * length**2)))
