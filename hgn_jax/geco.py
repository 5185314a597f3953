"""GECO: a Lagrange multiplier that enforces a reconstruction constraint (Rezende & Viola 2018, "Taming VAEs").

Shaped like an optax transformation: `init` gives the state, `update` the next one. The Lagrangian
KL + multiplier * C is minimised over the model by gradient descent, while the multiplier climbs as long
as the constraint C is violated (C > 0) and falls while it holds (C < 0).
"""

import dataclasses
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp


@dataclasses.dataclass
class GECOConfig:
    """Settings of `geco`.

    Attributes:
      initial: first value of the multiplier. High, so that reconstruction comes first: a multiplier that has to climb
        from below lets the KL close the posterior before the decoder has learned to use it.
      rate: growth of log(multiplier) per step and unit of constraint.
      max_change: largest change of log(multiplier) in one step; without it the poor reconstructions of the first
        steps would drive the multiplier to its maximum at once.
      decay: of the moving average of the constraint.
      minimum: the multiplier saturates here ...
      maximum: ... and here.
    """

    initial: float = 1e5
    rate: float = 1.0
    max_change: float = 0.01
    decay: float = 0.99
    minimum: float = 1e-6
    maximum: float = 1e6


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
      ValueError: unless 0 < minimum <= initial <= maximum, 0 <= decay < 1, rate >= 0 and max_change >= 0.
    """
    if not 0 < config.minimum <= config.initial <= config.maximum:
        raise ValueError(
            "GECO needs 0 < minimum <= initial <= maximum, got "
            f"minimum={config.minimum}, initial={config.initial}, maximum={config.maximum}"
        )
    if not 0 <= config.decay < 1:
        raise ValueError(f"GECO needs 0 <= decay < 1, got decay={config.decay}")
    if not (config.rate >= 0 and config.max_change >= 0):
        raise ValueError(f"GECO needs rate and max_change >= 0, got {config.rate} and {config.max_change}")

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
