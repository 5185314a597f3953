"""The settings of GECO and the rules for valid ones. No JAX here: configurations are checked before it is imported."""

import dataclasses

from hgn_jax.config_checks import at_least, check_fields, positive, within


@dataclasses.dataclass
class GECOConfig:
    """Settings of `hgn_jax.training.geco.geco`.

    Attributes:
      initial: First value of the multiplier. It is high, so that reconstruction comes first: with a multiplier that
        has to climb from below, the KL closes the posterior before the decoder has learned to use it.
      rate: Growth of log(multiplier) per step and unit of constraint.
      max_change: Largest change of log(multiplier) in one step. Without this limit the poor reconstructions of the
        first steps would drive the multiplier to its maximum at once.
      decay: Decay rate of the moving average of the constraint.
      minimum: Smallest value of the multiplier, at which it saturates.
      maximum: Largest value of the multiplier, at which it saturates.
    """

    initial: float = positive(1e5)
    rate: float = at_least(1.0, 0)
    max_change: float = within(0.01, "[0, inf]")
    decay: float = within(0.99, "[0, 1)")
    minimum: float = positive(1e-6)
    maximum: float = positive(1e6)


def validate(config: GECOConfig) -> None:
    """Raises ValueError unless every field has an allowed value and minimum <= initial <= maximum."""
    check_fields(config, "geco.")
    if not config.minimum <= config.initial <= config.maximum:
        raise ValueError(
            "geco needs minimum <= initial <= maximum; got "
            f"minimum={config.minimum}, initial={config.initial}, maximum={config.maximum}"
        )
