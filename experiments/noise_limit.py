"""What noise allows: the true system, fitted to noisy positions: `python -m experiments.noise_limit`.

The frames of the noisy data sets show positions that observation noise has shifted. Even with every noisy position read
without error, and with the true law, the state at the middle of a clip is known only as well as its 31 positions tell.
Such states are fitted here by least squares, rolled out by the true system and drawn by the renderer. Measured are the
skill of these frames, the rank correlation of the states' energies with the true ones, and, where the law is a curve,
R² of the true law, as it would be read off in these states. A model that fits states to what it sees, as the anchored
HGN does, cannot be expected to do better on these clips. A model that also knows which states are likely might. `python
-m experiments.noise_limit SYSTEM ...` measures some of the systems.
"""

from collections.abc import Callable, Sequence
from statistics import mean
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from experiments.clips.beyond import STEPS, extend_clips, measure_frames
from experiments.clips.config import SYSTEMS
from experiments.clips.data import Clips, open_clips
from experiments.clips.divergence import as_state, follow, follow_true
from experiments.clips.long_clips import LongClips
from experiments.clips.long_rollouts import Rollout, compare
from experiments.hgn.presets import PRESETS
from experiments.reporting.names import pretty
from experiments.reporting.tables import Table, to_markdown
from experiments.run import command_line
from experiments.run.command_line import UserError
from hgn_jax.metrics.beyond_clip import rank_correlation
from hgn_jax.metrics.law import linear_fit
from hgn_jax.models.refinement import levenberg_marquardt
from hgn_jax.physics import systems

_STEPS = STEPS[:-1]
_NUM_DRAWS = 5  # of the noise
_FIT_STEPS = 10
_COLUMNS = (
    "noise",
    "in the clip",
    *(f"{sign}{step}" for step in _STEPS for sign in ("+", "−")),
    "rank of energies",
    "R² of the law",
)

# System -> what its force or its potential energy is proportional to, as a function of the coordinate.
_CURVES: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "mass_spring": lambda q: q,
    "pendulum": lambda q: 1.0 - np.cos(q),
}


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


def measure(clips: Clips, long_clips: LongClips, draw: int) -> dict[str, Any]:
    """Measures what one draw of the noise of their positions allows in long clips: frames, energies and the law."""
    metadata, half = clips.metadata, clips.num_frames // 2
    system, dt = systems.get_system(metadata["system"], **metadata["constants"]), metadata["dt"]
    first, middle = long_clips.margins[0], long_clips.margins[0] + half
    noise = metadata["observation_noise"] * np.random.default_rng(draw).standard_normal(long_clips.q.shape)
    observed = (long_clips.q + noise)[:, first : middle + half + 1].astype(np.float32)
    true = np.concatenate([long_clips.q[:, middle], long_clips.p[:, middle]], axis=-1)
    z = fit_states(system, observed, true, dt)
    followed = follow_true(clips, long_clips, middle, z)
    images = followed.expected_images(metadata)
    targets = long_clips.expected_images(metadata)
    frames = measure_frames(compare(clips, long_clips, targets, Rollout(first, first, None, None, images)))
    energies = (np.asarray(jax.vmap(system.hamiltonian)(as_state(system, jnp.asarray(states)))) for states in (z, true))
    r_squared = None
    if metadata["system"] in _CURVES:
        curve, clip = _CURVES[metadata["system"]], np.s_[:, first : first + clips.num_frames]
        r_squared = linear_fit(curve(long_clips.q[clip].ravel()), curve(followed.q[clip].ravel())).r_squared
    return frames | {"energy_rank_correlation": rank_correlation(*energies), "r_squared": r_squared}


def _row(system: str) -> list[str]:
    clips = open_clips(PRESETS[f"{system}_anchored"])
    long_clips = extend_clips(clips, _STEPS[-1])
    measured = [measure(clips, long_clips, draw) for draw in range(_NUM_DRAWS)]
    cells = [_mean([numbers["skill"] for numbers in measured])]
    for step in map(str, _STEPS):
        cells += [_mean([numbers[side][step] for numbers in measured]) for side in ("skill_forward", "skill_backward")]
    cells += [_mean([numbers[name] for numbers in measured]) for name in ("energy_rank_correlation", "r_squared")]
    return [pretty(system), f"{clips.metadata['observation_noise']:g}", *cells]


def _mean(numbers: Sequence[float | None]) -> str:
    return "–" if None in numbers else f"{mean(numbers):.4f}"


def main(argv: Sequence[str]) -> None:
    names = argv[1:] or SYSTEMS
    unknown = [name for name in names if name not in SYSTEMS]
    if unknown:
        raise UserError(f"no system {unknown[0]!r}; choose from {', '.join(SYSTEMS)}")
    table = Table("skill that noise allows", [_row(name) for name in names], columns=_COLUMNS)
    print(to_markdown(table))


if __name__ == "__main__":
    command_line.run(main, takes_arguments=True)
