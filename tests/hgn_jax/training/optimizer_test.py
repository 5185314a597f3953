"""Tests of `hgn_jax.training.optimizer`."""

import jax.numpy as jnp
import numpy as np
import pytest

from hgn_jax.training import OptimizerConfig, learning_rate_schedule, make_optimizer


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        (OptimizerConfig(2e-3, "cosine", warmup_fraction=0.1), {0: 0.0, 10: 2e-3, 55: 1e-3, 100: 0.0}),
        (OptimizerConfig(2e-3, warmup_fraction=0.1), {0: 0.0, 5: 1e-3, 10: 2e-3, 99: 2e-3}),
        (OptimizerConfig(), {0: 1.5e-4, 99: 1.5e-4}),
    ],
)
def test_schedule(config, expected):
    schedule = learning_rate_schedule(config, 100)
    np.testing.assert_allclose([schedule(step) for step in expected], list(expected.values()), rtol=1e-5, atol=1e-8)


def test_the_gradient_is_clipped_by_its_norm():
    optimizer = make_optimizer(OptimizerConfig(gradient_clip=1.0), 10)
    params = jnp.zeros(2)
    huge, _ = optimizer.update(jnp.asarray([3e6, 4e6]), optimizer.init(params))
    unit, _ = optimizer.update(jnp.asarray([0.6, 0.8]), optimizer.init(params))
    np.testing.assert_allclose(huge, unit, rtol=1e-4)
