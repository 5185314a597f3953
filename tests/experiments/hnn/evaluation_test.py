"""Tests of `experiments.hnn.evaluation`, on tiny runs; `clips/reconstruction_test.py` tests errors of frames."""

import dataclasses

import numpy as np
import pytest

from experiments.hnn import evaluation
from experiments.hnn.data import load_states
from experiments.run.presets import pick
from experiments.tasks import TASKS
from hgn_jax import data
from hgn_jax.physics.phase_space import PhaseState
from hgn_jax.training.logs import read_metrics
from tests.experiments.tiny_runs import HORIZONS, NUM_EXAMPLES, NUM_FRAMES, execute_quickly


def test_a_model_of_frames(tiny_runs):
    results = tiny_runs("hnn pixel").results
    for errors in (results.train, results.test):  # both solvers follow the same slow field of an untrained model
        np.testing.assert_allclose(errors.scipy.mse_per_step, errors.mse_per_step, rtol=1e-2)
    assert results.dynamics.energy.keys() == {"rk4", "scipy"}
    assert results.dynamics.reversibility < 1e-2
    for times in results.prediction.values():
        assert {name: time.horizon for name, time in times.items()} == {str(n): n for n in HORIZONS}
    assert results.prediction_clips.simulated_steps == {"before": 0, "after": 0}  # 2 + 6 of 9 frames
    assert (results.model, results.frames_seen, results.latent.num_latents) == ("pixel", 2, 2)


def test_a_model_of_states(tiny_runs):
    results = tiny_runs("hnn state").results
    for errors in (results.train, results.test):
        assert errors.num_examples == NUM_EXAMPLES
        assert errors.field_error_of_true_energy < 1e-10  # the stored derivatives are those of the true energy
        assert 1e-6 < errors.field_error < errors.mean_square_of_field
    assert results.paths.keys() == {"rk4", "scipy"}
    for path in results.paths.values():
        assert len(path.mse_per_step) == NUM_FRAMES and path.mse_per_step[0] == 0
    assert (results.model, results.published) == ("state", None)


def test_training_on_states_lowers_the_error(tiny_runs):
    rows = read_metrics(tiny_runs("hnn state").directory.path / "metrics.csv")
    assert rows[-1]["field"] < 0.5 * rows[0]["field"]


def test_the_true_energy_gives_the_true_paths(tiny_runs):
    """The evaluation of a model that has learned everything."""
    run = tiny_runs("hnn state").run
    true = evaluation.true_hamiltonian(run.data.metadata)
    states = load_states(run.config, run.data, "test")
    energy = data.stack(run.data.splits["test"], range(12), ("energy",))["energy"]
    np.testing.assert_allclose(true(PhaseState(states["q"], states["p"])), energy, rtol=1e-5)
    perfect = run._replace(model=run.model._replace(hamiltonian=lambda params: true))
    path = evaluation.path_by_scipy(perfect, PhaseState(states["q"][:, 0], states["p"][:, 0]), NUM_FRAMES - 1)
    np.testing.assert_allclose(np.swapaxes(path.q, 0, 1), states["q"], atol=1e-5)


@pytest.mark.slow
def test_the_noisy_protocol_has_the_published_losses_beside_its_own(tmp_path):
    config = pick(TASKS["hnn"].presets, "mass_spring_state_noisy")
    config.image_size, config.data.data_dir = 8, str(tmp_path / "data")
    config.training = dataclasses.replace(config.training, num_steps=4, log_every=2, checkpoint_every=4)
    results = execute_quickly(TASKS["hnn"], config, tmp_path / "run")
    assert results.published["test"] == 3.5928e-2
    # The true energy, at states with noise of 0.1: dq/dt = 2 p is missed by 2 * 0.1, and so is dp/dt.
    assert results.test.field_error_of_true_energy == pytest.approx(0.04, abs=0.006)
