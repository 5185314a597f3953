"""The optimiser of every model: Adam with a learning rate schedule."""

import optax

from hgn_jax.training.training_config import OptimizerConfig


def learning_rate_schedule(config: OptimizerConfig, num_steps: int) -> optax.Schedule:
    """Returns the learning rate as a function of the step, for a training of `num_steps` steps."""
    warmup_steps = int(config.warmup_fraction * num_steps)
    if config.schedule == "cosine":
        return optax.warmup_cosine_decay_schedule(0.0, config.learning_rate, warmup_steps, num_steps)
    warmup = optax.linear_schedule(0.0, config.learning_rate, warmup_steps)
    return optax.join_schedules([warmup, optax.constant_schedule(config.learning_rate)], [warmup_steps])


def make_optimizer(config: OptimizerConfig, num_steps: int) -> optax.GradientTransformation:
    """Returns Adam with the schedule of `config`, preceded by gradient clipping if a limit is given."""
    clip = optax.identity() if config.gradient_clip is None else optax.clip_by_global_norm(config.gradient_clip)
    return optax.chain(clip, optax.adam(learning_rate_schedule(config, num_steps)))
