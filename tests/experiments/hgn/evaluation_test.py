"""Tests of `experiments.hgn.evaluation`, on a tiny run and on models that were not trained."""

import types

import jax
import numpy as np
import pytest

from experiments.clips.results import Errors, SplitErrors
from experiments.hgn import evaluation
from experiments.run.results import Multiplier
from hgn_jax import HGNConfig, make_hgn
from tests.experiments.tiny_runs import HORIZONS, NUM_FRAMES

_FRAMES = np.random.default_rng(0).integers(0, 256, (3, 4, 8, 8, 3), np.uint8)


def _untrained(**changes):
    """An HGN for `_FRAMES`, and its initial parameters."""
    filters = ("encoder_filters", "transform_filters", "hamiltonian_filters", "decoder_filters")
    hgn = make_hgn(HGNConfig(image_size=8, state_channels=2, **dict.fromkeys(filters, (2,)), **changes))
    return hgn, hgn.init(jax.random.PRNGKey(0), {"image": _FRAMES})


@pytest.mark.parametrize(
    ("name", "frames_seen"),
    [
        ("hgn", NUM_FRAMES),
        pytest.param("hgn plus_plus", 5, marks=pytest.mark.slow),
        pytest.param("hgn anchored", 7, marks=pytest.mark.slow),
    ],
)
def test_a_run_is_measured_beyond_its_clips_and_against_the_true_states(tiny_runs, name, frames_seen):
    results = tiny_runs(name).results
    assert results.frames_seen == frames_seen
    for by_direction in (results.prediction, results.mean_image_prediction):
        assert by_direction.keys() == {"forward", "backward"}
        for times in by_direction.values():
            assert {name: time.horizon for name, time in times.items()} == {str(n): n for n in HORIZONS}
    simulated_steps = max(HORIZONS) - (NUM_FRAMES - frames_seen)
    assert results.prediction_clips.simulated_steps == {"before": simulated_steps, "after": simulated_steps}
    assert -1 <= results.latent.r_squared <= 1
    assert not results.not_measured


def test_rollouts_are_reversible_and_finer_steps_are_more_exact(tiny_runs):
    dynamics = tiny_runs("hgn").results.dynamics
    assert dynamics.reversibility < 1e-4
    assert dynamics.energy["leapfrog"].drift < dynamics.energy["euler"].drift
    assert dynamics.speed["dt"] < dynamics.speed["2dt"]


def test_energy_is_measured_by_the_integrator_of_the_model_and_two_others():
    hgn, params = _untrained(integrator="symplectic_euler")
    energy = evaluation.measure_dynamics(hgn, params, hgn.start(params, _FRAMES), 3).energy
    assert energy.keys() == {"symplectic_euler", "leapfrog", "euler"}
    assert energy["leapfrog"].variance < energy["euler"].variance


def test_with_friction_the_energy_falls_and_the_rollout_still_goes_back():
    fields = {"latent": "vector", "use_transform": False, "hamiltonian_network": "mlp"}
    hgn, params = _untrained(**fields, friction=0.5)
    dynamics = evaluation.measure_dynamics(hgn, params, hgn.start(params, _FRAMES), 3)
    assert dynamics.energy.keys() == {"leapfrog"}
    assert dynamics.reversibility < 1e-5
    conservative, params = _untrained(**fields)
    kept = evaluation.measure_dynamics(conservative, params, conservative.start(params, _FRAMES), 3)
    assert dynamics.energy["leapfrog"].variance > 10 * kept.energy["leapfrog"].variance


def test_variances_are_those_of_a_posterior_of_the_state_itself():
    hgn, params = _untrained(use_transform=False)
    variance = evaluation.posterior_variances(hgn, params, _FRAMES)
    q_scale, p_scale = np.split(np.asarray(hgn.infer(params, _FRAMES).scale), 2, axis=-1)
    expected = np.concatenate([q_scale.reshape(3, -1), p_scale.reshape(3, -1)], axis=1) ** 2
    np.testing.assert_allclose(variance, expected, rtol=1e-5)


@pytest.mark.parametrize("changes", [{"use_transform": True}, {"use_transform": False, "variational": False}])
def test_other_posteriors_have_no_variances_of_the_state(changes):
    assert evaluation.posterior_variances(*_untrained(**changes), _FRAMES) is None


@pytest.mark.parametrize(
    ("mse", "mean_image", "floor", "saturated", "objective", "note"),
    [
        (2e-3, 1e-2, 5e-4, None, "geco", None),
        (5e-4, 1e-2, 5e-4, "maximum", "geco", None),  # the tolerance was reached
        (2e-3, 1e-2, 5e-4, "minimum", "geco", None),
        (2e-3, 1e-2, 5e-4, "maximum", "elbo", None),
        (2e-3, 1e-2, 5e-4, "maximum", "geco", "has not come down to the tolerance of GECO, 0.001; more steps help"),
        (2e-3, 1e-2, None, "maximum", "geco", "has not come down to the tolerance of GECO, 0.001; more steps help"),
        (2e-3, 1e-2, 1e-3, "maximum", "geco", "is below the noise floor of the data, 0.001, so no model reaches it"),
        (5e-4, 1e-3, None, None, "geco", "0.001, so a still picture satisfies it; try --config.tolerance=0.0001"),
    ],
)
def test_notes_say_what_helps_with_an_unfit_tolerance_of_geco(mse, mean_image, floor, saturated, objective, note):
    def errors(value):
        return {"mse": value, "mse_std": 0.0, "mse_per_step": [value]}

    reference = {"mean_image": mean_image} | ({} if floor is None else {"noise_floor": floor})
    reference = {name: Errors(**errors(value)) for name, value in reference.items()}
    train = SplitErrors(**errors(mse), num_examples=1, reference=reference)
    multiplier = None if objective == "elbo" else Multiplier(last=1e6, saturated=saturated)
    results = types.SimpleNamespace(train=train, run=types.SimpleNamespace(multiplier=multiplier))
    notes = evaluation.geco_notes(HGNConfig(tolerance=1e-3, objective=objective), results)
    assert len(notes) == (note is not None)
    assert not note or note in notes[0]
    relative = HGNConfig(relative_tolerance=1e-3 / mean_image, objective=objective)
    assert mean_image <= 1e-3 or evaluation.geco_notes(relative, results) == notes
