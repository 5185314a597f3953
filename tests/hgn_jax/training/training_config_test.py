"""Tests of `hgn_jax.training.training_config`."""

import dataclasses

import pytest

from hgn_jax.training import OptimizerConfig, TrainingConfig, validate

_TRAINING = TrainingConfig(num_steps=12, batch_size=4, log_every=2, checkpoint_every=4)


@pytest.mark.parametrize(
    ("optimizer", "training", "message"),
    [
        ({"schedule": "linear"}, {}, "schedule must be one of"),
        ({"learning_rate": 0.0}, {}, "learning_rate must be positive"),
        ({"gradient_clip": -1.0}, {}, "gradient_clip must be positive"),
        ({"warmup_fraction": 1.0}, {}, "warmup_fraction must"),
        ({}, {"num_steps": 0}, "num_steps must be 1"),
        ({}, {"seed": -1}, "seed must be 0"),
        ({}, {"checkpoint_every": 5}, "multiple of training.log_every=2"),
        ({}, {"batch_size": 6}, "batch_size=6 cannot be divided evenly among 4 devices"),
    ],
)
def test_invalid_settings_are_refused(optimizer, training, message):
    with pytest.raises(ValueError, match=message):
        validate(dataclasses.replace(OptimizerConfig(), **optimizer), dataclasses.replace(_TRAINING, **training), 4)
