"""Helpers for tests of rollouts."""

import jax
import numpy as np

from hgn_jax import PhaseState, rollout

_compiled_rollout = jax.jit(rollout, static_argnames=("hamiltonian", "num_steps", "integrator", "substeps"))


def integrate(*args, **kwargs) -> PhaseState:
    """`rollout` compiled as a whole, which is faster than operation by operation, as NumPy arrays."""
    return jax.tree.map(np.asarray, _compiled_rollout(*args, **kwargs))


def distance(first: PhaseState, second: PhaseState) -> float:
    """The largest difference between two states or paths."""
    return max(float(np.max(np.abs(a - b))) for a, b in zip(first, second, strict=True))


def at(path: PhaseState, index) -> PhaseState:
    """The states of a path at an index or slice of its leading axis."""
    return jax.tree.map(lambda x: x[index], path)
