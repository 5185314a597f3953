"""States of an HGN as points, and samples of a density of points as states."""

import jax
import numpy as np

from hgn_jax.models.hgn import HGN, Params
from hgn_jax.models.hgn_config import HGNConfig, latent_shape
from hgn_jax.physics.phase_space import PhaseState
from hgn_jax.state_densities.density import Density, Energy, sample


def sample_states(density: Density | None, hgn: HGN, params: Params, key: jax.Array, num_samples: int) -> PhaseState:
    """Draws states `[num_samples, ...]` of an HGN from a density of its states as points.

    Raises:
      ValueError: If there is no density, as where new trajectories begin with the prior.
    """
    if density is None:
        raise ValueError("there is no density of states; the model's own `sample` draws from the prior")
    points = sample(density, energy_of_points(hgn, params), key, num_samples)
    return to_states(points, hgn.config)


def energy_of_points(hgn: HGN, params: Params) -> Energy:
    """Returns the learned energy as a function of points `[n, d]`."""
    energy = jax.jit(lambda params, state: hgn.hamiltonian(params)(state))
    return lambda points: np.asarray(energy(params, to_states(points, hgn.config)), np.float64)


def to_points(states: PhaseState, num_axes: int = 1) -> np.ndarray:
    """Converts states `[..., d...]` to points `[..., d]`, all numbers of q before those of p.

    Args:
      states: States with `num_axes` leading axes.
      num_axes: Number of axes that are kept.
    """
    return np.concatenate([np.reshape(x, (*x.shape[:num_axes], -1)) for x in states], axis=-1)


def to_states(points: np.ndarray, config: HGNConfig) -> PhaseState:
    """Converts points `[n, d]` to states `[n, ...]` of a model, float32."""
    *grid, size = latent_shape(config)
    halves = np.split(np.asarray(points, np.float32), 2, axis=-1)
    return PhaseState(*(half.reshape(len(points), *grid, size // 2) for half in halves))
