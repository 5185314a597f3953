"""New trajectories from a model's distribution of states, compared with test clips."""

from typing import NamedTuple

import jax
import numpy as np

from data_builders.rendering import images as rendering
from experiments.clips.data import Clips
from experiments.clips.prediction import CompiledDynamics
from experiments.clips.results import Samples
from hgn_jax import data
from hgn_jax.metrics import beyond_clip
from hgn_jax.metrics.fidelity import fidelity
from hgn_jax.physics.phase_space import PhaseState

_NUM_ENERGIES, _NUM_ROLLOUTS, _NUM_IMAGES = 8192, 256, 128
_NUM_TEST_CLIPS = 1000
_NUM_STEPS = 60
_NUM_REFERENCE_IMAGES = 2000


class SampledStates(NamedTuple):
    """Measurements of sampled states.

    Attributes:
      numbers: The numbers that are reported.
      energies: Learned energies of sampled states, `[n]`.
      test_energies: Learned energies of states inferred from test clips, `[m]`.
    """

    numbers: Samples
    energies: np.ndarray
    test_energies: np.ndarray


def measure_samples(clips: Clips, dynamics: CompiledDynamics, targets: np.ndarray) -> SampledStates | None:
    """Samples states and compares them with states that are inferred from windows at random places of test clips.

    Args:
      clips: The data set.
      dynamics: The model.
      targets: Images of the data without noise, `[clips, time, size, size, 3]`.

    Returns:
      The measurements; None for a model without a distribution of states.
    """
    if dynamics.dynamics.sample is None:
        return None
    key = jax.random.PRNGKey(0)
    states = jax.tree.map(np.asarray, dynamics.dynamics.sample(dynamics.dynamics.params, key, _NUM_ENERGIES))
    start = jax.tree.map(lambda x: x[:_NUM_ROLLOUTS], states)
    ends = jax.tree.map(lambda x: x[[0, -1]], dynamics.rollout(start, _NUM_STEPS, dynamics.dt))
    num_test = min(_NUM_TEST_CLIPS, dynamics.dynamics.affordable_clips or _NUM_TEST_CLIPS)
    inferred = dynamics.infer(_random_windows(clips, dynamics.num_seen, num_test))
    energies, test_energies = dynamics.energy(states), dynamics.energy(inferred)
    now, later = (_position_distance(*(dynamics.positions(x, 1) for x in (q, inferred.q))) for q in ends.q)
    faithful = _fidelities(clips, dynamics, ends, targets) if clips.has_true_states else (None, None)
    numbers = Samples(
        fidelity=faithful[0],
        fidelity_after_60=faithful[1],
        energy_distance=_distance(energies, test_energies),
        position_distance=now,
        position_distance_after_60=later,
    )
    return SampledStates(numbers, energies, test_energies)


def _random_windows(clips: Clips, num_seen: int, max_clips: int) -> np.ndarray:
    """Frames that the model sees of test clips, `[clips, num_seen, size, size, 3]`, from random times on."""
    test = clips.splits["test"]
    images = data.stack(test, range(min(max_clips, len(test))), ("image",))["image"]
    firsts = np.random.default_rng(0).integers(clips.num_frames - num_seen + 1, size=len(images))
    return np.stack([clip[first : first + num_seen] for clip, first in zip(images, firsts, strict=True)])


def _fidelities(
    clips: Clips, dynamics: CompiledDynamics, states: PhaseState, targets: np.ndarray
) -> tuple[float, float]:
    """The fidelity of the images of states `[2, samples, ...]`: at once, and some steps later."""
    images = dynamics.decode(jax.tree.map(lambda x: x[:, :_NUM_IMAGES], states))
    reference = targets.reshape(-1, *targets.shape[2:])
    reference = reference[:: max(1, len(reference) // _NUM_REFERENCE_IMAGES)]
    background = np.asarray(rendering.canvas_from_metadata(clips.metadata).background) / 255.0
    return fidelity(images[:, 0], reference, background), fidelity(images[:, 1], reference, background)


def _position_distance(samples: np.ndarray, reference: np.ndarray) -> float | None:
    """Distance between quantiles of positions `[n, d]`, averaged over the axes that keep most of their variance."""
    samples, reference = samples.astype(np.float64), reference.astype(np.float64)
    if not np.isfinite(samples).all() or not np.isfinite(reference).all():
        return None
    mean = reference.mean(axis=0)
    _, sizes, axes = np.linalg.svd(reference - mean, full_matrices=False)
    kept = 1 + int(np.searchsorted(np.cumsum(sizes**2) / np.sum(sizes**2), 0.9)) if sizes.any() else 0
    distances = [_distance((samples - mean) @ axis, (reference - mean) @ axis) for axis in axes[:kept]]
    return None if None in distances or not distances else float(np.mean(distances))


def _distance(samples: np.ndarray, reference: np.ndarray) -> float | None:
    if not np.isfinite(samples).all() or not np.isfinite(reference).all() or reference.std() == 0:
        return None
    return beyond_clip.quantile_distance(samples, reference)
