"""States (q, p) of a mechanical system."""

from typing import NamedTuple

import chex
import jax


class PhaseState(NamedTuple):
    """A point (q, p) of phase space, or a batch or a path of such points.

    A JAX pytree, so it passes through `jit`, `grad`, `vmap` and `scan`.

    Attributes:
      q: Generalised positions, of any shape and floating-point type.
      p: Generalised momenta, of the same shape as `q`.
    """

    q: jax.Array
    p: jax.Array


def flip_momentum(state: PhaseState) -> PhaseState:
    """Returns the time-reversed state (q, -p): integrating it forwards retraces the past."""
    return PhaseState(state.q, -state.p)


def check_state(state: PhaseState) -> None:
    """Raises AssertionError unless `q` and `p` are floating-point arrays of the same shape."""
    chex.assert_equal_shape([state.q, state.p])
    chex.assert_type([state.q, state.p], float)
