"""What noise allows: the skill of the true system, fitted to noisy positions: `python -m experiments.noise_limit`.

The frames of the noisy data sets show positions that observation noise has shifted. Even with every noisy position read
without error, and with the true law, the state at the middle of a clip is known only as well as its 31 positions tell.
Such states are fitted here by least squares, rolled out by the true system and drawn by the renderer. No model that
infers states so can have a higher skill on these clips. `python -m experiments.noise_limit SYSTEM ...` measures some.
"""

import functools
from collections.abc import Sequence
from statistics import mean
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from experiments.clips.beyond import STEPS, extend_clips
from experiments.clips.config import SYSTEMS
from experiments.clips.data import Clips, open_clips
from experiments.clips.long_clips import LongClips
from experiments.clips.long_rollouts import Rollout, compare
from experiments.hgn.presets import PRESETS
from experiments.reporting.names import pretty
from experiments.reporting.tables import Table, to_markdown
from experiments.run import command_line
from experiments.run.command_line import UserError
from hgn_jax.metrics.beyond_clip import skill_at
from hgn_jax.models.refinement import levenberg_marquardt
from hgn_jax.physics import systems
from hgn_jax.physics.integrators import rollout
from hgn_jax.physics.phase_space import PhaseState

_STEPS = STEPS[:-1]
_NUM_DRAWS = 5  # of the noise
_FIT_STEPS = 10
_SUBSTEPS = 8
_COLUMNS = ("noise", "in the clip", *(f"{sign}{step}" for step in _STEPS for sign in ("+", "−")))


class Skill(NamedTuple):
    """The skill that one draw of the noise allows.

    Attributes:
      clip: Mean over the clip.
      after: Skill by the number of steps after it.
      before: Skill by the number of steps before it.
    """

    clip: float
    after: dict[str, float | None]
    before: dict[str, float | None]


def fit_states(system: systems.System, observed: np.ndarray, start: np.ndarray, dt: float) -> np.ndarray:
    """Fits states of the true system to noisy positions by least squares.

    Args:
      system: The system.
      observed: Positions `[clips, time, d]` at an odd number of times, `dt` apart.
      start: First guesses of the states at the middle one, `[clips, 2 d]`.
      dt: Time between positions.

    Returns:
      The states, positions and then momenta, `[clips, 2 d]`.
    """
    half = observed.shape[1] // 2

    @jax.jit
    def fit(start: jax.Array) -> jax.Array:
        def residuals(z: jax.Array) -> jax.Array:
            return (follow(system, z, half, half, dt) - observed).reshape(len(z), -1)

        return levenberg_marquardt(residuals, start, _FIT_STEPS)

    return np.asarray(fit(jnp.asarray(start)))


def follow(system: systems.System, z: jax.Array, before: int, after: int, dt: float) -> jax.Array:
    """Positions `[clips, before + 1 + after, d]` of the true system around states z `[clips, 2 d]`."""
    state = PhaseState(*(half.reshape(-1, *system.state_shape) for half in jnp.split(z, 2, axis=-1)))
    paths = [rollout(system.hamiltonian, state, t, n, "rk4", _SUBSTEPS).q for t, n in ((-dt, before), (dt, after))]
    q = jnp.concatenate([paths[0][:0:-1], paths[1]])
    return jnp.swapaxes(q.reshape(len(q), len(z), -1), 0, 1)


def measure(clips: Clips, long_clips: LongClips, draw: int) -> Skill:
    """Measures the skill on long clips with one draw of the noise of their positions."""
    metadata = clips.metadata
    system = systems.get_system(metadata["system"], **metadata["constants"])
    (before, after), num_frames, dt = long_clips.margins, clips.num_frames, metadata["dt"]
    half = num_frames // 2
    middle = before + half
    noise = metadata["observation_noise"] * np.random.default_rng(draw).standard_normal(long_clips.q.shape)
    observed = (long_clips.q + noise)[:, before : before + 2 * half + 1].astype(np.float32)
    true = np.concatenate([long_clips.q[:, middle], long_clips.p[:, middle]], axis=-1)
    z = fit_states(system, observed, true, dt)
    path = jax.jit(functools.partial(follow, system, before=middle, after=after + num_frames - half - 1, dt=dt))
    images = long_clips._replace(q=np.asarray(path(z))).expected_images(metadata)
    targets = long_clips.expected_images(metadata)
    comparison = compare(clips, long_clips, targets, Rollout(before, None, None, images))
    errors_after, errors_before = comparison.sides(comparison.errors)
    return Skill(
        float(comparison.skill(comparison.errors)[comparison.clip].mean()),
        skill_at(errors_after, comparison.scale, _STEPS),
        skill_at(errors_before, comparison.scale, _STEPS),
    )


def _row(system: str) -> list[str]:
    clips = open_clips(PRESETS[f"{system}_anchored"])
    long_clips = extend_clips(clips, _STEPS[-1])
    skills = [measure(clips, long_clips, draw) for draw in range(_NUM_DRAWS)]
    cells = [f"{mean(skill.clip for skill in skills):.3f}"]
    for step in map(str, _STEPS):
        cells += [_mean([skill.after[step] for skill in skills]), _mean([skill.before[step] for skill in skills])]
    return [pretty(system), f"{clips.metadata['observation_noise']:g}", *cells]


def _mean(numbers: Sequence[float | None]) -> str:
    return "–" if None in numbers else f"{mean(numbers):.3f}"


def main(argv: Sequence[str]) -> None:
    names = argv[1:] or SYSTEMS
    unknown = [name for name in names if name not in SYSTEMS]
    if unknown:
        raise UserError(f"no system {unknown[0]!r}; choose from {', '.join(SYSTEMS)}")
    table = Table("skill that noise allows", [_row(name) for name in names], columns=_COLUMNS)
    print(to_markdown(table))


if __name__ == "__main__":
    command_line.run(main, takes_arguments=True)
