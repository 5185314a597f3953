"""The estimates of `hgn_jax.models.sizes` against the models themselves, by JAX's shape evaluation."""

import jax
import numpy as np
import pytest

from experiments.tasks import TASKS
from hgn_jax.models import sizes
from tests.experiments.configuration_test import batch_of

_NEEDS = {"hgn": sizes.hgn_needs, "hnn": sizes.hnn_needs}
_MODELS = [
    ("hgn", "mass_spring"), ("hgn", "two_body_plus_plus"), ("hgn", "three_body_anchored"), ("hgn", "pendulum_anchored"),
    ("hnn", "pendulum"), ("hnn", "pendulum_conv"), ("hnn", "two_body_state"),
    ("nhf", "four_modes"), ("nhf", "four_modes_plus"), ("nhf", "four_modes_paper"),
]  # fmt: skip


@pytest.mark.parametrize(("task", "preset"), _MODELS)
def test_parameters(task, preset):
    """The estimates lie below the true number of bytes, with gradients and moments of Adam, but in its range."""
    config = TASKS[task].presets[preset]
    batch = batch_of(TASKS[task], config)
    params = jax.eval_shape(TASKS[task].make_model(config).init, jax.random.PRNGKey(0), batch)
    exact = 4 * sum(4 * int(np.prod(x.shape)) for x in jax.tree.leaves(params))
    size = config.training.batch_size
    needs = sizes.nhf_needs(config, size) if task == "nhf" else _NEEDS[task](config, size, 31)
    estimate = sum(need.num_bytes for need in needs if need.part.startswith("training "))
    assert exact / 8 < estimate <= exact
