"""GECO: a Lagrange multiplier that enforces a reconstruction constraint (Rezende & Viola 2018, "Taming VAEs").

Shaped like an optax transformation: `init` gives the state, `update` the next one. The Lagrangian
KL + multiplier * C is minimised over the model by gradient descent, while the multiplier climbs as long
as the constraint C is violated (C > 0) and falls while it holds (C < 0).
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp

from hgn_jax.training.geco_config import GECOConfig, validate


class GECOState(NamedTuple):
    """Log of the multiplier, the moving average of the constraint (from zero) and the number of updates."""

    log_multiplier: jax.Array
    average: jax.Array
    count: jax.Array

    @property
    def multiplier(self) -> jax.Array:
        """The Lagrange multiplier, always positive."""
        return jnp.exp(self.log_multiplier)


class GECO(NamedTuple):
    """`init() -> GECOState` and `update(state, constraint) -> GECOState`."""

    init: Callable[[], GECOState]
    update: Callable[[GECOState, jax.Array], GECOState]


def saturation(config: GECOConfig, multiplier: float) -> str | None:
    """`minimum` or `maximum` if the multiplier has come to that limit, up to rounding, else None."""
    if multiplier >= config.maximum * (1.0 - 1e-4):
        return "maximum"
    return "minimum" if multiplier <= config.minimum * (1.0 + 1e-4) else None


def geco(config: GECOConfig) -> GECO:
    """Returns GECO as a pair of pure functions.

    Raises:
      ValueError: as `hgn_jax.training.geco_config.validate`.
    """
    validate(config)

    def init() -> GECOState:
        return GECOState(jnp.full((), jnp.log(config.initial)), jnp.zeros(()), jnp.zeros((), jnp.int32))

    def update(state: GECOState, constraint: jax.Array) -> GECOState:
        count = state.count + 1
        average = config.decay * state.average + (1.0 - config.decay) * constraint
        unbiased = average / (1.0 - config.decay**count)  # the average starts at zero, not at a constraint
        change = jnp.clip(config.rate * unbiased, -config.max_change, config.max_change)
        log_multiplier = jnp.clip(state.log_multiplier + change, jnp.log(config.minimum), jnp.log(config.maximum))
        return GECOState(log_multiplier, average, count)

    return GECO(init, update)
