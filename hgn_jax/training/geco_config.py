"""The settings of GECO, and what makes them valid. No JAX here: configurations are checked before it is imported."""

import dataclasses


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


def validate(config: GECOConfig) -> None:
    """Raises ValueError unless 0 < minimum <= initial <= maximum, 0 <= decay < 1, rate >= 0 and max_change >= 0."""
    if not 0 < config.minimum <= config.initial <= config.maximum:
        raise ValueError(
            "GECO needs 0 < minimum <= initial <= maximum, got "
            f"minimum={config.minimum}, initial={config.initial}, maximum={config.maximum}"
        )
    if not 0 <= config.decay < 1:
        raise ValueError(f"GECO needs 0 <= decay < 1, got decay={config.decay}")
    if not (config.rate >= 0 and config.max_change >= 0):
        raise ValueError(f"GECO needs rate and max_change >= 0, got {config.rate} and {config.max_change}")
