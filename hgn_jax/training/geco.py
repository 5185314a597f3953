"""GECO: a Lagrange multiplier that enforces a reconstruction constraint (Rezende & Viola 2018, "Taming VAEs").

It has the form of an optax transformation: `init` returns a state, `update` the next one. The Lagrangian
KL + multiplier * C is minimised over the model by gradient descent. Meanwhile the multiplier rises while the constraint
is violated (C > 0) and falls while it holds (C < 0).
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp

from hgn_jax.training.geco_config import GECOConfig, validate


class GECOState(NamedTuple):
    """State of the multiplier; all arrays are scalars.

    Attributes:
      log_multiplier: Logarithm of the multiplier.
      average: Moving average of the constraint, which starts at zero.
      count: Number of updates, int32.
    """

    log_multiplier: jax.Array
    average: jax.Array
    count: jax.Array

    @property
    def multiplier(self) -> jax.Array:
        """The Lagrange multiplier, always positive."""
        return jnp.exp(self.log_multiplier)


class GECO(NamedTuple):
    """Update rule of the multiplier.

    Attributes:
      init: `() -> GECOState`.
      update: `(state, constraint) -> GECOState`, for the scalar constraint of a training step.
    """

    init: Callable[[], GECOState]
    update: Callable[[GECOState, jax.Array], GECOState]


def saturation(config: GECOConfig, multiplier: float) -> str | None:
    """Returns `minimum` or `maximum` if the multiplier is at that limit, up to rounding; otherwise None."""
    if multiplier >= config.maximum * (1.0 - 1e-4):
        return "maximum"
    return "minimum" if multiplier <= config.minimum * (1.0 + 1e-4) else None


def geco(config: GECOConfig) -> GECO:
    """Returns the update rule of the multiplier as a pair of pure functions.

    Raises:
      ValueError: If a setting is invalid.
    """
    validate(config)

    def init() -> GECOState:
        return GECOState(jnp.full((), jnp.log(config.initial)), jnp.zeros(()), jnp.zeros((), jnp.int32))

    def update(state: GECOState, constraint: jax.Array) -> GECOState:
        count = state.count + 1
        average = config.decay * state.average + (1.0 - config.decay) * constraint
        unbiased = average / (1.0 - config.decay**count)  # corrects for the start at zero
        change = jnp.clip(config.rate * unbiased, -config.max_change, config.max_change)
        log_multiplier = jnp.clip(state.log_multiplier + change, jnp.log(config.minimum), jnp.log(config.maximum))
        return GECOState(log_multiplier, average, count)

    return GECO(init, update)
