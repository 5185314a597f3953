"""Measurements of a model beyond the clip it has seen, and of what its state knows.

A model infers a state from a window of frames and rolls it out forwards and backwards, beyond both ends of the window.
Errors are mean squared errors of frames, per pixel and colour, against the best prediction that the observation noise
allows, so an error of 0 can be reached. States are arrays `[..., d]` of all coordinates and momenta.
"""

from collections.abc import Sequence

import numpy as np
import scipy.special
import scipy.stats

from hgn_jax.metrics.prediction import valid_steps

SKILL_THRESHOLD = 0.9


def skill_at(errors: np.ndarray, mean_image_error: float, steps: Sequence[int]) -> dict[str, float | None]:
    """Skill of the frames some steps beyond the window: 1 is perfect, and 0 is as good as the best constant image.

    Args:
      errors: Errors of the frames beyond the window, in the order of prediction, `[examples, steps]`.
      mean_image_error: Error of the best constant image on the same clips.
      steps: Numbers of steps, from 1.

    Returns:
      The skill, averaged over examples, by the number of steps as text; None where fewer steps were predicted.
    """
    return {
        str(step): float(1.0 - errors[:, step - 1].mean() / mean_image_error) if step <= errors.shape[1] else None
        for step in steps
    }


def skill_horizon(errors: np.ndarray, mean_image_error: float, threshold: float = SKILL_THRESHOLD) -> float:
    """Number of steps beyond the window until the skill of a frame first falls below a threshold.

    Args:
      errors: Errors of the frames beyond the window, in the order of prediction, `[examples, steps]`.
      mean_image_error: Error of the best constant image on the same clips.
      threshold: Smallest skill that counts as right.

    Returns:
      The median over examples; the number of all steps for an example that stays above the threshold.
    """
    return float(np.median(valid_steps(errors, (1.0 - threshold) * mean_image_error)))


def clock_share(states: np.ndarray) -> float:
    """Fraction of the variance of the states that lies in the mean path, which all clips share.

    A state that knows only the system has a share near 0 if the clips begin at random phases. A share near 1 is a
    clock: the state says how long ago the clip began.

    Args:
      states: States along the rollouts, at the times of the clip, `[examples, time, d]`.
    """
    mean_path = states.mean(axis=0)
    return float(mean_path.var(axis=0).sum() / states.reshape(-1, states.shape[-1]).var(axis=0).sum())


def reencoding_error(rolled_out: np.ndarray, inferred: np.ndarray) -> float:
    """Mean squared distance between states rolled out to another time and states inferred there.

    Args:
      rolled_out: States rolled out from a window at one time, `[examples, d]`.
      inferred: States inferred from windows at the other time, `[examples, d]`.

    Returns:
      The distance divided by the variance of the inferred states, both summed over the entries of a state. States that
      have nothing to do with each other have a distance of 2.
    """
    return float(np.mean((rolled_out - inferred) ** 2) / np.mean(inferred.var(axis=0)))


def rank_correlation(learned: np.ndarray, true: np.ndarray) -> float:
    """Spearman's rank correlation of learned and true energies `[examples]`: 1 if both order the examples alike.

    The sign of a learned energy is fixed by Hamilton's equations, so -1 is as wrong as it looks.
    """
    return float(scipy.stats.spearmanr(learned, true).statistic)


def quantile_distance(samples: np.ndarray, reference: np.ndarray, num_quantiles: int = 101) -> float:
    """Mean distance between the quantiles of two sets of numbers `[n]` and `[m]`, in the reference's deviations."""
    levels = np.linspace(0.0, 1.0, num_quantiles)
    distance = np.abs(np.quantile(samples, levels) - np.quantile(reference, levels)).mean()
    return float(distance / reference.std())


def periods(signals: np.ndarray, dt: float) -> np.ndarray:
    """Periods of oscillations, from the times at which they cross their mean upwards.

    Args:
      signals: Oscillating signals, `[examples, time]`, sampled at least some ten times per period.
      dt: Time between samples.

    Returns:
      The mean time between crossings, `[examples]`, NaN where there are fewer than two. Crossings are found by linear
      interpolation.
    """
    result = np.full(len(signals), np.nan)
    for i, signal in enumerate(signals - signals.mean(axis=1, keepdims=True)):
        before = np.flatnonzero((signal[:-1] < 0) & (signal[1:] >= 0))
        if len(before) > 1:
            crossings = before + signal[before] / (signal[before] - signal[before + 1])
            result[i] = dt * (crossings[-1] - crossings[0]) / (len(crossings) - 1)
    return result


def pendulum_period(amplitude: np.ndarray, small_angle_frequency: float) -> np.ndarray:
    """Period of a pendulum that swings to an angle `amplitude` in radians, below pi.

    It is 4 K(sin²(amplitude / 2)) / ω with the complete elliptic integral of the first kind K.

    Args:
      amplitude: Largest angle, `[...]`.
      small_angle_frequency: Angular frequency ω of small oscillations.
    """
    return 4.0 * scipy.special.ellipk(np.sin(amplitude / 2.0) ** 2) / small_angle_frequency
