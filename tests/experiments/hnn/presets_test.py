"""Tests of the numbers in `experiments.hnn.presets`; the presets of all tasks are checked in `tasks_test.py`."""

import json

import pytest

from experiments.clips.config import SYSTEMS, dataset_config
from experiments.hgn import presets as hgn_presets
from experiments.hnn import presets


@pytest.mark.parametrize("system", SYSTEMS)
def test_every_system_has_every_model(system):
    for suffix in ("", "_small", "_conv", "_conv_small", "_state"):
        assert system + suffix in presets.PRESETS
    for suffix in ("_small", "_conv_small"):  # on the same data as HGN
        assert presets.get(system + suffix).data == hgn_presets.get(f"{system}_small").data


def test_sizes_of_the_phase_spaces():
    for system, size in {"mass_spring": 2, "pendulum": 2, "two_body": 8, "three_body": 12}.items():
        assert 2 * presets.get(system).state_size == size


def test_the_papers_numbers():
    config = presets.get("pendulum")
    assert (config.training.num_steps, config.training.batch_size) == (15_000, 64)
    assert (config.optimizer.learning_rate, config.optimizer.schedule) == (1e-3, "constant")
    assert (config.hnn_weight, config.weight_decay, config.dt) == (0.1, 1e-5, 1.0)
    assert dataset_config(config).name == "paper"


def test_the_protocol_of_greydanus():
    config = presets.get("mass_spring_state_noisy")
    dataset = dataset_config(config)
    assert (dataset.num_train, dataset.num_test, dataset.num_steps) == (25, 25, 29)
    assert dataset.dt * dataset.num_steps == pytest.approx(3.0)
    assert (config.state_noise, config.training.batch_size, config.weight_decay) == (0.1, 25, 1e-4)
    assert json.loads(presets.get("two_body_state_noisy").data.fields)["velocity_perturbation"] == 0.05
