"""Tests of the numbers in `experiments.hgn.presets`; the presets of all tasks are checked in `tasks_test.py`."""

import jax
import jax.numpy as jnp
import pytest

from experiments.clips.config import dataset_config
from experiments.hgn import presets
from hgn_jax import make_hgn

# End of a preset's name -> configuration of its data set; the first that fits counts.
_DATA_SETS = {
    "_anchored_noise_free": "small_noise_free",
    "_anchored": "small",
    "_plus_plus_small": "small",
    "_small": "small",
    "_plus_plus": "paper",
    "": "paper",
}


@pytest.mark.parametrize("name", [name for name in presets.PRESETS if name != "video"])
def test_the_name_says_system_and_scale(name):
    data = presets.get(name).data
    suffix = next(suffix for suffix in _DATA_SETS if name.endswith(suffix))
    assert data.name == name.removesuffix(suffix)
    assert data.config == _DATA_SETS[suffix]


def test_the_papers_numbers():
    config = presets.get("three_body")
    assert (config.dt, config.integrator, config.image_size) == (0.125, "leapfrog", 32)
    assert (config.optimizer.learning_rate, config.optimizer.schedule) == (1.5e-4, "constant")
    assert (config.tolerance, config.objective, config.inference_frames) == (1e-3, "geco", None)
    assert (config.geco.decay, config.geco.minimum, config.geco.maximum) == (0.99, 1e-6, 1e6)
    assert config.training.batch_size == 16
    assert config.evaluation.horizons == (60, 120)
    dataset = dataset_config(config)
    assert (dataset.num_train, dataset.num_test, dataset.num_steps) == (50_000, 10_000, 30)


def test_plus_plus_is_hgn_plus_plus():
    config = presets.get("three_body_plus_plus")
    assert (config.latent, config.state_channels, config.use_transform) == ("vector", 16, False)
    assert (config.hamiltonian_network, config.hamiltonian_activation) == ("mlp", "swish")
    assert config.hamiltonian_filters == (250, 250, 250, 250, 250)
    assert (config.inference_frames, config.rollout_directions) == (5, "both")
    assert (config.objective, config.optimizer.learning_rate) == ("elbo", 1.5e-4)
    assert (config.decoder_filters, config.data.config) == ((64, 64, 64), "paper")


@pytest.mark.slow
@pytest.mark.parametrize("name", ["mass_spring_small", "mass_spring_plus_plus_small"])
def test_the_rollout_of_a_new_small_model_moves(name):
    model = make_hgn(presets.get(name))
    frames = jax.random.uniform(jax.random.PRNGKey(1), (4, 31, 32, 32, 3))
    params = jax.jit(model.init)(jax.random.PRNGKey(0), {"image": frames})

    @jax.jit
    def positions(params):
        return model.rollout(params, model.initial_state(params, model.infer(params, frames).mean), 30).q

    q = positions(params)
    displacement = jnp.sqrt(jnp.mean((q[-1] - q[0]) ** 2)) / jnp.std(q[0])
    assert 0.1 < displacement < 10
