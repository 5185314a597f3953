"""Tests of the numbers in `experiments.nhf.presets`; the presets of all tasks are checked in `tasks_test.py`."""

from experiments.nhf import presets
from hgn_jax.models import densities


def test_every_target_has_three_presets():
    assert presets.TARGETS == tuple(densities.TARGETS)
    for target in densities.TARGETS:
        for suffix in ("", "_plus", "_paper"):
            assert presets.get(target + suffix).data.name == target


def test_the_papers_numbers():
    config = presets.get("four_modes_paper")
    assert (config.num_links * config.steps_per_link, config.integrator) == (2, "leapfrog")
    assert (config.hidden_sizes, config.activation, config.kinetic) == ((128, 128), "softplus", "mlp")
    assert (config.posterior, config.posterior_sizes) == ("gaussian", (128, 128))
    assert (config.prior, config.objective, config.objective_samples) == ("soft_uniform", "elbo", 1)
    assert (config.optimizer.learning_rate, config.optimizer.schedule) == (3e-4, "constant")
