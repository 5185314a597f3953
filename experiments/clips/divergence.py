"""How fast a chaotic system departs from itself: the true system, started from slightly wrong states."""

import functools

import jax
import numpy as np

from experiments.clips.data import Clips
from experiments.clips.long_clips import LongClips
from hgn_jax.physics import systems
from hgn_jax.physics.integrators import rollout
from hgn_jax.physics.phase_space import PhaseState

LEVELS = (0.001, 0.01)  # errors of the start, in standard deviations of each coordinate over the clips
_CHAOTIC = ("three_body", "double_pendulum")
_SUBSTEPS = 32


def is_chaotic(clips: Clips) -> bool:
    """Whether a data set is of a chaotic system without friction, with the same constants in all clips."""
    metadata = clips.metadata
    is_known = not metadata.get("damping") and not metadata.get("constant_ranges")
    return metadata.get("system") in _CHAOTIC and is_known


def roll_out_from_wrong_start(clips: Clips, long_clips: LongClips, start: int, level: float) -> LongClips:
    """Rolls the true system out from slightly wrong states, over the whole of the long clips.

    Args:
      clips: The data set.
      long_clips: Its long clips.
      start: Index of the frame whose state is slightly wrong.
      level: Size of the error, in standard deviations of each coordinate and momentum over the clips.

    Returns:
      The long clips with the positions of these rollouts.
    """
    system = systems.get_system(clips.metadata["system"], **clips.metadata["constants"])
    rng = np.random.default_rng(0)
    halves = [half[:, start] for half in (long_clips.q, long_clips.p)]
    wrong = [half + level * half.std(axis=0) * rng.standard_normal(half.shape) for half in halves]
    state = PhaseState(*(half.reshape(-1, *system.state_shape).astype(np.float32) for half in wrong))

    @functools.partial(jax.jit, static_argnums=(1, 2))
    def follow(state: PhaseState, num_steps: int, dt: float) -> jax.Array:
        return rollout(system.hamiltonian, state, dt, num_steps, "rk4", _SUBSTEPS).q

    num_times, dt = long_clips.q.shape[1], clips.metadata["dt"]
    before, after = (np.asarray(follow(state, n, x)) for n, x in ((start, -dt), (num_times - start - 1, dt)))
    q = np.concatenate([before[:0:-1], after]).reshape(num_times, len(long_clips.q), -1)
    return long_clips._replace(q=np.swapaxes(q, 0, 1))
