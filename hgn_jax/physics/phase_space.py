"""Points of phase space."""

from typing import NamedTuple

import chex
import jax


class PhaseState(NamedTuple):
    """A point (q, p) of phase space, or a batch or a path of such points.

    A JAX pytree, so it passes through `jit`, `grad`, `vmap` and `scan`.

    Attributes:
      q: generalised positions, any shape and floating-point type.
      p: generalised momenta, the same shape as `q`.
    """

    q: jax.Array
    p: jax.Array


def flip_momentum(state: PhaseState) -> PhaseState:
    """The time-reversed state (q, -p): integrating it forwards retraces the past."""
    return PhaseState(state.q, -state.p)


def check_state(state: PhaseState) -> None:
    """Raises AssertionError unless `q` and `p` are floating-point arrays of one shape."""
    chex.assert_equal_shape([state.q, state.p])
    chex.assert_type([state.q, state.p], float)
