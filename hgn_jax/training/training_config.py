"""The settings of an optimiser and of a training, and the rules for valid ones.

No JAX here: configurations are checked before it is imported.
"""

import dataclasses

from hgn_jax.config_checks import any_seed, check_fields, choice, count, path, positive, within


@dataclasses.dataclass
class OptimizerConfig:
    """Adam and its learning rate schedule. The defaults are the paper's.

    Attributes:
      learning_rate: Peak learning rate.
      schedule: `constant`, or `cosine`, which falls to zero at the last step.
      warmup_fraction: Fraction of all steps during which the learning rate first rises linearly from zero.
      gradient_clip: Largest global norm of a gradient; None for no limit.
    """

    learning_rate: float = positive(1.5e-4)
    schedule: str = choice("constant", ("constant", "cosine"))
    warmup_fraction: float = within(0.0, "[0, 1)")
    gradient_clip: float | None = positive(None)


@dataclasses.dataclass
class TrainingConfig:
    """Length and intervals of a training.

    Attributes:
      num_steps: Number of optimiser steps.
      batch_size: Number of examples per step, over all devices of all processes.
      seed: Seed of the initial parameters, the posterior samples and the order of the data.
      log_every: Number of steps averaged in one row of the metrics.
      checkpoint_every: Number of steps between checkpoints, a multiple of `log_every`.
      init_from: Directory of a run whose parameters this one starts with; None for random ones.
    """

    num_steps: int = count(500_000)
    batch_size: int = count(16)
    seed: int = any_seed(0)
    log_every: int = count(100)
    checkpoint_every: int = count(1000)
    init_from: str | None = path(None)


def validate(optimizer: OptimizerConfig, training: TrainingConfig, num_devices: int = 1) -> None:
    """Checks the settings of a training.

    Args:
      optimizer: Settings of the optimiser.
      training: Settings of the training.
      num_devices: Number of devices of all processes; 1 where it is not known yet.

    Raises:
      ValueError: If they cannot be run, naming the field and its allowed values.
    """
    check_fields(optimizer, "optimizer.")
    check_fields(training, "training.")
    if training.checkpoint_every % training.log_every:
        raise ValueError(
            f"training.checkpoint_every must be a multiple of training.log_every={training.log_every}; "
            f"got {training.checkpoint_every}"
        )
    if training.batch_size % num_devices:
        raise ValueError(
            f"training.batch_size={training.batch_size} cannot be divided evenly among {num_devices} devices"
        )
