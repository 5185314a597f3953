"""Tests of `experiments.hgn.states`."""

import dataclasses
from types import SimpleNamespace

import jax
import numpy as np
import pytest

from experiments.hgn import states
from experiments.run.run_directory import RunDirectory
from hgn_jax import make_hgn
from tests.experiments import tiny_hgn
from tests.experiments.tiny_hgn import CLIPS, CONFIG

_KEY = jax.random.PRNGKey(0)
_VECTOR = dataclasses.replace(
    CONFIG, latent="vector", hamiltonian_network="mlp", inference_frames=3, rollout_directions="both",
    state_density="mixture",
)  # fmt: skip


def _run(path, config=_VECTOR):
    hgn = make_hgn(config)
    params = hgn.init(jax.random.PRNGKey(0), {"image": CLIPS})
    run = tiny_hgn.run(metadata={})
    return run._replace(
        directory=RunDirectory(path), config=config, model=hgn, state=SimpleNamespace(params=params, step=3)
    )


def test_samples_of_the_prior_are_initial_states_of_normal_latents(tmp_path):
    run = _run(tmp_path, dataclasses.replace(_VECTOR, state_density="prior"))
    density = states.fit_or_load(run)
    assert density.kind == "prior"
    z = jax.random.normal(_KEY, (5, 4))
    expected = run.model.initial_state(run.state.params, z)
    for half, other in zip(density.sample(_KEY, 5), expected, strict=True):
        np.testing.assert_allclose(half, other, atol=1e-6)
    assert not list(tmp_path.iterdir())


def test_the_states_of_clips_are_those_of_their_rollouts(tmp_path):
    run = _run(tmp_path)
    points, clips = states.collect_points(run)
    start = run.model.start(run.state.params, CLIPS[:, 1:4])  # the three frames in the middle of five
    paths = [run.model.rollout(run.state.params, start, 3, dt) for dt in (CONFIG.dt, -CONFIG.dt)]
    expected = np.concatenate([np.concatenate(path, axis=-1) for path in paths])
    for point, clip in zip(points, clips, strict=True):
        assert np.abs(expected[:, clip] - point).max(axis=-1).min() < 1e-5
    assert len(np.unique(points.round(5), axis=0)) > 10  # at different times


def test_a_density_is_fitted_once_and_again_for_another_checkpoint(tmp_path, capsys):
    run = _run(tmp_path)
    first, again = states.fit_or_load(run), states.fit_or_load(run)
    assert capsys.readouterr().out.count("fitting a mixture") == 1
    assert first.description == again.description
    assert first.description.startswith("samples of a mixture of ")
    assert first.description.endswith(" fitted to the states of 3 training clips at random times")
    samples = first.sample(_KEY, 7)
    assert samples.q.shape == samples.p.shape == (7, 2)
    np.testing.assert_array_equal(samples.q, again.sample(_KEY, 7).q)
    states.fit_or_load(run._replace(state=SimpleNamespace(params=run.state.params, step=4)))
    assert "fitting a mixture" in capsys.readouterr().out


def test_a_damaged_file_is_replaced(tmp_path, capsys):
    run = _run(tmp_path)
    run.directory.state_density.write_text("nothing")
    states.fit_or_load(run)
    assert "is damaged" in capsys.readouterr().out
    states.fit_or_load(run)
    assert not capsys.readouterr().out


def test_a_new_trajectory_is_decoded_from_the_fitted_density(tmp_path):
    from experiments.hgn import sampling

    run = _run(tmp_path)
    options = sampling.Options(num_samples=3, num_steps=6)
    frames = sampling.trajectories(run.model, run.state.params, "new", CLIPS, options, states.fit_or_load(run))
    assert frames.shape == (3, 7, 8, 8, 3)


@pytest.mark.parametrize("kind", ["mixture", "flow"])
def test_a_grid_of_states_has_only_a_prior(kind):
    from experiments.hgn import presets

    config = presets.get("pendulum_small")
    with pytest.raises(ValueError, match=f"state_density={kind} needs latent=vector or keypoints; got spatial"):
        presets.validate(dataclasses.replace(config, state_density=kind))
