"""What is measured of a trained model.

Errors are mean squared errors of pixels in [0, 1], per frame over height, width and colours, `[examples, frames]`.
"""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from hgn_jax.physics.hamiltonian import Hamiltonian
from hgn_jax.physics.integrators import rollout
from hgn_jax.physics.phase_space import PhaseState


def frame_errors(predicted: np.ndarray, observed: np.ndarray) -> np.ndarray:
    """Mean squared error of each frame: `[examples, frames, height, width, colours]` to `[examples, frames]`."""
    return np.mean((predicted - observed) ** 2, axis=(2, 3, 4))


def summarise(errors: np.ndarray) -> dict[str, Any]:
    """Mean over everything, standard deviation over trajectories, and mean per step, of `[examples, frames]` errors."""
    return {
        "mse": float(errors.mean()),
        "mse_std": float(errors.mean(axis=1).std()),
        "mse_per_step": [float(error) for error in errors.mean(axis=0)],
    }


def skill(mse: float, noise_floor: float, mean_image: float) -> float:
    """1 - (mse - floor) / (mean image's mse - floor): 1 is all that can be predicted, 0 is a constant image."""
    return 1.0 - (mse - noise_floor) / (mean_image - noise_floor)


def energy_statistics(energies: np.ndarray) -> dict[str, float | None]:
    """Conservation of an energy along rollouts.

    Args:
      energies: `[steps + 1, examples]`.

    Returns:
      `mean`, over steps and rollouts; `variance`, along a rollout, averaged over rollouts; and `drift`, the largest
      |H_t - H_0| of a rollout, averaged over rollouts, as a fraction of the standard deviation of H_0 over initial
      states. None for what is not finite: of energies that overflow, or the drift if all rollouts start with the same.
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
    """The energy of every state of a path, `[steps + 1, batch]`."""
    return jax.lax.map(hamiltonian, path)


def relative_distance(state: PhaseState, reference: PhaseState) -> jax.Array:
    """|state - reference| / |reference|, Euclidean over all of both phase-space arrays."""
    difference = jax.tree.map(jnp.subtract, state, reference)
    return _norm(difference) / _norm(reference)


def _norm(state: PhaseState) -> jax.Array:
    return jnp.sqrt(jnp.sum(state.q**2) + jnp.sum(state.p**2))


def reversibility(
    hamiltonian: Hamiltonian, state: PhaseState, dt: float, num_steps: int, integrator: str, substeps: int = 1
) -> jax.Array:
    """|s_0 - Phi_{-T}(Phi_T(s_0))| / |s_0|: how far a rollout there and back ends from its start."""
    end = _last(rollout(hamiltonian, state, dt, num_steps, integrator, substeps))
    back = _last(rollout(hamiltonian, end, -dt, num_steps, integrator, substeps))
    return relative_distance(back, state)


def _last(path: PhaseState) -> PhaseState:
    return jax.tree.map(lambda x: x[-1], path)


def speed_consistency(
    hamiltonian: Hamiltonian, state: PhaseState, dt: float, num_steps: int, integrator: str, substeps: int = 1
) -> dict[str, jax.Array]:
    """How far rollouts at half, normal and double speed of integration are from the exact path.

    The path is recorded every 2 dt, and compared at these common times with one of 16 times finer steps, as
    `relative_distance`. A method of order n divides the error by about 2^n from one entry to the next.

    Returns:
      The error with steps of `2dt`, `dt` and `dt/2`.
    """

    def path(refinement: int) -> PhaseState:
        return rollout(hamiltonian, state, 2 * dt, num_steps // 2, integrator, refinement * substeps)

    exact = path(32)
    return {name: relative_distance(path(n), exact) for name, n in (("2dt", 1), ("dt", 2), ("dt/2", 4))}
