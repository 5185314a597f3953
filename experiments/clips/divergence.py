"""How fast a chaotic system departs from itself: the true system, started from slightly wrong states."""

import functools
from typing import Any

import jax
import jax.numpy as jnp
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
    return clips.metadata.get("system") in _CHAOTIC and has_one_energy(clips)


def has_one_energy(clips: Clips) -> bool:
    """Whether a simulated data set is without friction and has the same constants in all clips."""
    return clips.has_true_states and not (clips.metadata.get("damping") or clips.metadata.get("constant_ranges"))


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
    rng = np.random.default_rng(0)
    halves = [half[:, start] for half in (long_clips.q, long_clips.p)]
    wrong = [half + level * half.std(axis=0) * rng.standard_normal(half.shape) for half in halves]
    return follow_true(clips, long_clips, start, np.concatenate(wrong, axis=-1).astype(np.float32))


def follow_true(clips: Clips, long_clips: LongClips, start: int, z: np.ndarray, **settings: Any) -> LongClips:
    """Follows the true system over the whole of long clips.

    Args:
      clips: The data set.
      long_clips: Its long clips.
      start: Index of the frame at which the states stand.
      z: States there, positions and then momenta, `[clips, 2 d]`.
      **settings: `integrator` and `substeps` of `follow`, for another than the exact one.

    Returns:
      The long clips with the positions of these rollouts.
    """
    system = systems.get_system(clips.metadata["system"], **clips.metadata["constants"])
    after, dt = long_clips.q.shape[1] - start - 1, clips.metadata["dt"]
    path = jax.jit(functools.partial(follow, system, before=start, after=after, dt=dt, **settings))
    return long_clips._replace(q=np.asarray(path(z)))


def follow(
    system: systems.System,
    z: jax.Array,
    before: int,
    after: int,
    dt: float,
    integrator: str = "rk4",
    substeps: int = _SUBSTEPS,
) -> jax.Array:
    """Follows the true system from states, forwards and backwards.

    Args:
      system: The system.
      z: States, positions and then momenta, `[clips, 2 d]`.
      before: Number of steps back.
      after: Number of steps ahead.
      dt: Time of a step.
      integrator: Name of the integrator. The default, with its substeps, is exact for the clips here.
      substeps: Number of its steps in one step.

    Returns:
      Positions, `[clips, before + 1 + after, d]`.
    """
    state = as_state(system, z)
    back, ahead = (
        rollout(system.hamiltonian, state, t, n, integrator, substeps).q for t, n in ((-dt, before), (dt, after))
    )
    q = jnp.concatenate([back[:0:-1], ahead])
    return jnp.swapaxes(q.reshape(len(q), len(z), -1), 0, 1)


def as_state(system: systems.System, z: jax.Array) -> PhaseState:
    """The states of a system whose positions and momenta are `z`, `[clips, 2 d]`."""
    return PhaseState(*(half.reshape(-1, *system.state_shape) for half in jnp.split(z, 2, axis=-1)))
