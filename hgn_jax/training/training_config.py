"""The settings of an optimiser and of a training, and what makes them valid.

No JAX here: configurations are checked before it is imported.
"""

import dataclasses

from hgn_jax.config_checks import require_at_least, require_choice, require_positive


@dataclasses.dataclass
class OptimizerConfig:
    """Adam and its schedule; the defaults are the paper's.

    Attributes:
      learning_rate: the peak rate.
      schedule: `constant`, or `cosine` to fall to zero at the last step.
      warmup_fraction: part of all steps over which the rate first rises linearly from zero.
      gradient_clip: largest global norm of a gradient; None for no limit.
    """

    learning_rate: float = 1.5e-4
    schedule: str = "constant"
    warmup_fraction: float = 0.0
    gradient_clip: float | None = None


@dataclasses.dataclass
class TrainingConfig:
    """Length and rhythm of a run.

    Attributes:
      num_steps: optimiser steps.
      batch_size: examples per step over all devices of all processes.
      seed: of the initial parameters, the posterior samples and the order of the data.
      log_every: steps averaged in a row of the metrics.
      checkpoint_every: steps between checkpoints, a multiple of `log_every`.
    """

    num_steps: int = 500_000
    batch_size: int = 16
    seed: int = 0
    log_every: int = 100
    checkpoint_every: int = 1000


def validate(optimizer: OptimizerConfig, training: TrainingConfig, num_devices: int = 1) -> None:
    """Raises ValueError, naming the field and what it may be, for settings that cannot be run.

    Args:
      optimizer: of the optimiser.
      training: of the training.
      num_devices: of all processes; 1 where it is not known yet.
    """
    require_choice(optimizer, {"schedule": ("constant", "cosine")})
    require_positive(optimizer, ("learning_rate",))
    if optimizer.gradient_clip is not None and not optimizer.gradient_clip > 0:
        raise ValueError(f"gradient_clip must be positive, or None for no limit; got {optimizer.gradient_clip}")
    if not 0 <= optimizer.warmup_fraction < 1:
        raise ValueError(f"warmup_fraction must lie in [0, 1), got {optimizer.warmup_fraction}")
    at_least = {"num_steps": 1, "batch_size": 1, "log_every": 1, "checkpoint_every": 1, "seed": 0}
    require_at_least(training, at_least)
    if training.checkpoint_every % training.log_every:
        raise ValueError(
            f"checkpoint_every must be a multiple of log_every={training.log_every}, got {training.checkpoint_every}"
        )
    if training.batch_size % num_devices:
        raise ValueError(f"batch_size {training.batch_size} cannot be divided evenly among {num_devices} devices")
