"""Measurements of rollouts: errors of their frames, conservation of energy and reversibility.

Errors of frames `[examples, frames]` are mean squared errors of pixels in [0, 1] over height, width and colours.
"""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from hgn_jax.physics.hamiltonian import Hamiltonian
from hgn_jax.physics.integrators import rollout
from hgn_jax.physics.phase_space import PhaseState


def frame_errors(predicted: np.ndarray, observed: np.ndarray) -> np.ndarray:
    """The mean squared error of each frame.

    Args:
      predicted: Predicted frames, `[examples, frames, height, width, colours]`.
      observed: Observed frames of the same shape.

    Returns:
      Errors, `[examples, frames]`.
    """
    return np.mean((predicted - observed) ** 2, axis=(2, 3, 4))


def summarise(errors: np.ndarray) -> dict[str, Any]:
    """Summarises errors `[examples, frames]`.

    Returns:
      `mse`: the mean over all frames; `mse_std`: the standard deviation over trajectories of their mean errors;
      `mse_per_step`: the mean over trajectories at each step.
    """
    return {
        "mse": float(errors.mean()),
        "mse_std": float(errors.mean(axis=1).std()),
        "mse_per_step": [float(error) for error in errors.mean(axis=0)],
    }


def skill(mse: float, noise_floor: float, mean_image: float) -> float:
    """The skill 1 - (mse - noise_floor) / (mean_image - noise_floor); 1 is perfect, 0 as good as the mean image.

    Args:
      mse: Mean squared error of the model.
      noise_floor: Mean squared error that the noise of the observations makes inevitable.
      mean_image: Mean squared error of predicting the mean image at all times.
    """
    return 1.0 - (mse - noise_floor) / (mean_image - noise_floor)


def energy_statistics(energies: np.ndarray) -> dict[str, float | None]:
    """Statistics of how well an energy is conserved along rollouts.

    Args:
      energies: Energy at each step of each rollout, `[steps + 1, examples]`.

    Returns:
      `mean`: the mean over steps and rollouts; `variance`: the variance along a rollout, averaged over rollouts;
      `drift`: the largest |H_t - H_0| of a rollout, averaged over rollouts, relative to the standard deviation of H_0
      over rollouts. A statistic that is not finite is None: all of them if energies overflow, and the drift if all
      rollouts start with the same energy.
    """
    energies = np.asarray(energies, np.float64)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        departure = np.abs(energies - energies[0]).max(axis=0)
        statistics = {
            "mean": energies.mean(),
            "variance": energies.var(axis=0).mean(),
            "drift": departure.mean() / energies[0].std(),
        }
    return {name: float(value) if np.isfinite(value) else None for name, value in statistics.items()}


def energies_along(hamiltonian: Hamiltonian, path: PhaseState) -> jax.Array:
    """Returns the energy of every state of a path, `[steps + 1, batch]`."""
    return jax.lax.map(hamiltonian, path)


def relative_distance(state: PhaseState, reference: PhaseState) -> jax.Array:
    """Returns |state - reference| / |reference|, a scalar, in the Euclidean norm over all entries of `q` and `p`."""
    difference = jax.tree.map(jnp.subtract, state, reference)
    return _norm(difference) / _norm(reference)


def _norm(state: PhaseState) -> jax.Array:
    return jnp.sqrt(jnp.sum(state.q**2) + jnp.sum(state.p**2))


def reversibility(
    hamiltonian: Hamiltonian, state: PhaseState, dt: float, num_steps: int, integrator: str, **kwargs: Any
) -> jax.Array:
    """Returns |s_0 - Phi_{-T}(Phi_T(s_0))| / |s_0|: the relative error after a rollout forwards and back.

    The arguments are those of `rollout`.
    """
    end = _last(rollout(hamiltonian, state, dt, num_steps, integrator, **kwargs))
    returned = _last(rollout(hamiltonian, end, -dt, num_steps, integrator, **kwargs))
    return relative_distance(returned, state)


def _last(path: PhaseState) -> PhaseState:
    return jax.tree.map(lambda x: x[-1], path)


def speed_consistency(
    hamiltonian: Hamiltonian,
    state: PhaseState,
    dt: float,
    num_steps: int,
    integrator: str,
    substeps: int = 1,
    **kwargs: Any,
) -> dict[str, jax.Array]:
    """The errors of rollouts with steps of twice, once and half the size.

    Paths are recorded every 2 dt and compared there, by `relative_distance`, with a path of steps dt / 16. Each halving
    of the step divides the error of a method of order n by about 2^n. The arguments are those of `rollout`.

    Returns:
      The errors with steps of `2dt`, `dt` and `dt/2`.
    """

    def path(refinement: int) -> PhaseState:
        return rollout(hamiltonian, state, 2 * dt, num_steps // 2, integrator, refinement * substeps, **kwargs)

    exact = path(32)
    return {name: relative_distance(path(n), exact) for name, n in (("2dt", 1), ("dt", 2), ("dt/2", 4))}
