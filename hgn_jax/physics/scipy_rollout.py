"""Rollouts by scipy's `solve_ivp`, as in Greydanus et al. (2019) and App. A.3 of the HGN paper."""

import jax
import jax.numpy as jnp
import numpy as np
from scipy import integrate

from hgn_jax.physics.hamiltonian import Hamiltonian, vector_field
from hgn_jax.physics.phase_space import PhaseState, as_state


def scipy_rollout(
    hamiltonian: Hamiltonian, state: PhaseState, dt: float, num_steps: int, tolerance: float = 1e-9
) -> PhaseState:
    """Integrates Hamilton's equations by scipy's default method, an embedded Runge-Kutta 5(4) with adaptive steps.

    All examples of a batch share the steps. The field is computed in JAX's current precision: a tolerance below 1e-6
    needs `jax.enable_x64` and a Hamiltonian with float64 parameters.

    Args:
      hamiltonian: Energy, maps a `PhaseState` to one number per batch element.
      state: Initial state, two arrays `q` and `p` of the same shape `[...]`.
      dt: Time between recorded states, one number for all examples; a negative one runs time backwards.
      num_steps: Number of states to record after the initial one.
      tolerance: Relative and absolute tolerance of a step; scipy's norm of the error is the mean over the batch.

    Returns:
      The path as float64 NumPy arrays, `q` and `p` of shape `[num_steps + 1, ...]`, the initial state included.

    Raises:
      ValueError: In one line, if `num_steps < 0`, `dt` is not one finite number, or the state is not two equal arrays.
      FloatingPointError: If the solver fails.
    """
    if num_steps < 0:
        raise ValueError(f"num_steps must be 0 or more, got {num_steps}")
    if np.ndim(dt) or not np.isfinite(dt):
        raise ValueError(f"scipy takes the same steps for all examples: dt must be one finite number, got {dt}")
    as_state(state)  # raises ValueError
    if len(jax.tree.leaves(state)) > 2:
        raise ValueError("scipy takes states of two arrays, q and p, and no pytrees of arrays")
    shape = np.shape(state.q)
    start = np.stack([state.q, state.p]).astype(np.float64)
    if num_steps == 0:
        return PhaseState(*start[:, None])

    @jax.jit
    def field(flat):
        return jnp.stack(vector_field(hamiltonian)(PhaseState(*flat.reshape(2, *shape)))).ravel()

    times = dt * np.arange(num_steps + 1)
    solution = integrate.solve_ivp(
        lambda t, flat: np.asarray(field(flat), np.float64),
        (0.0, times[-1]), start.ravel(), t_eval=times, rtol=tolerance, atol=tolerance,
    )  # fmt: skip
    if not solution.success:
        raise FloatingPointError(f"scipy could not integrate a rollout: {solution.message}")
    return PhaseState(*np.moveaxis(solution.y.T.reshape(num_steps + 1, 2, *shape), 1, 0))
