"""Parts of a model replaced by the truth: what is wrong in one part is mended where that part is the true one."""

import jax
import numpy as np
import pytest

from experiments.replaced_by_truth import find_parts, fit_affine, measure, measure_integrator
from experiments.run.command_line import UserError
from hgn_jax.physics.phase_space import PhaseState
from tests.experiments.clips.true_oscillator import make_clips, make_films, make_run, oscillator

_SCALE = 3.0  # of the model's states, in the true ones


@pytest.fixture(scope="module")
def clips(tmp_path_factory):
    return make_clips(tmp_path_factory.mktemp("data"), num_test=12)


def _skills(clips, frequency=2.0, **changes):
    """Skill 30 steps after the clip, by what the state, the energy and the picture are."""
    dynamics = oscillator(clips.metadata, 5, frequency)
    dynamics.dynamics = dynamics.dynamics._replace(params=np.float32(_SCALE), **changes)
    measured = measure(find_parts(make_run(clips, 60), dynamics))
    assert len(measured) == 8
    return {choice: numbers["skill_forward"]["30"] for choice, numbers in measured.items()}


def test_a_model_that_is_right_loses_nothing(clips):
    assert min(_skills(clips).values()) > 0.998


def test_a_wrong_energy_is_mended_by_the_true_one(clips):
    for (_, energy, _), skill in _skills(clips, frequency=1.9).items():
        assert skill > 0.98 if energy == "true" else skill < 0.9


def test_wrong_states_are_mended_by_true_ones(clips):
    right = oscillator(clips.metadata, 5).dynamics.infer

    def infer(params, frames):
        wrong = 0.08 * params * jax.random.normal(jax.random.PRNGKey(0), (2, len(frames), 1))
        return PhaseState(*(x + y for x, y in zip(right(params, frames), wrong, strict=True)))

    for (state, _, _), skill in _skills(clips, infer=infer).items():
        assert skill > 0.975 if state == "true" else skill < 0.97


def test_a_wrong_picture_is_mended_by_the_renderer(clips):
    right = oscillator(clips.metadata, 5).dynamics.decode

    def decode(params, states):
        return right(params, PhaseState(states.q + 0.15 * params, states.p))

    for (_, _, picture), skill in _skills(clips, decode=decode).items():
        assert skill > 0.998 if picture == "true" else skill < 0.95


def test_an_integrator_costs_what_its_frequency_is_off(clips):
    """Leapfrog's frequency is off by (w dt)^2 / 24 of it, with four times as many steps by a sixteenth of that."""
    run = make_run(clips, 60)
    parts = find_parts(run, oscillator(clips.metadata, 5))
    coarse, fine = (measure_integrator(parts, "leapfrog", n)["skill_forward"]["60"] for n in (1, 4))
    wrong = oscillator(clips.metadata, 5, frequency=2.0 * (1 + (2.0 * 0.125) ** 2 / 24))
    same = measure(find_parts(run, wrong))["true", "learned", "true"]["skill_forward"]["60"]
    assert 1 - coarse == pytest.approx(1 - same, rel=0.5)  # its ellipse is a little wrong as well
    assert 1 - fine < (1 - coarse) / 50


def test_an_affine_map_is_found_and_inverted_in_the_subspace_of_its_rows():
    rng = np.random.default_rng(0)
    x = rng.standard_normal((4, 5, 2)) @ np.array([[1.0, 0, -1, 0], [0, 1, 0, -1]])  # two bodies opposite each other
    matrix, offset = rng.standard_normal((4, 4)), rng.standard_normal(4)
    fitted, r_squared = fit_affine(x, x @ matrix + offset)
    np.testing.assert_allclose(fitted(x), x @ matrix + offset, atol=1e-5)
    np.testing.assert_allclose(fitted.inverse(fitted(x)), x, atol=1e-5)
    assert r_squared > 1 - 1e-9


def test_turns_of_an_angle_do_not_matter():
    angles = np.cumsum(np.random.default_rng(0).uniform(-0.3, 0.5, (4, 40, 2)), axis=1)
    turns = 2 * np.pi * np.random.default_rng(1).integers(-2, 3, (4, 1, 2))
    matrix, offset = np.array([[-1.0, 1.0], [0.0, 1.0]]), np.array([3.0, 0.1])
    fitted, r_squared = fit_affine(angles, angles @ matrix + offset + turns, periodic=True)
    np.testing.assert_array_equal(fitted.matrix, matrix)
    np.testing.assert_allclose(fitted.offset, offset, atol=1e-9)
    assert r_squared > 1 - 1e-9


def test_what_cannot_be_replaced_is_said(clips, tmp_path):
    with pytest.raises(UserError, match="^needs a simulated data set"):
        find_parts(make_run(make_films(clips, 2), 60), oscillator(clips.metadata, 5))
    dynamics = oscillator(clips.metadata, 5)
    right = dynamics.dynamics.infer
    with pytest.raises(UserError, match="^the positions of the model are no affine map of the true ones"):
        dynamics.dynamics = dynamics.dynamics._replace(infer=lambda params, frames: _square(right(params, frames)))
        find_parts(make_run(clips, 60), dynamics)


def _square(state):
    return PhaseState(state.q**2, state.p)
