"""Tests of `experiments.hgn.states`."""

import dataclasses
from types import SimpleNamespace

import chex
import jax
import numpy as np
import pytest

from experiments.hgn import sampling, states
from experiments.run.run_directory import RunDirectory
from hgn_jax import make_hgn
from hgn_jax.loaded_run import make_loaded
from hgn_jax.training.update import TrainState
from tests.experiments import tiny_hgn
from tests.experiments.tiny_hgn import CLIPS, CONFIG

_KEY = jax.random.PRNGKey(0)
_VECTOR = dataclasses.replace(
    CONFIG, latent="vector", hamiltonian_network="mlp", inference_frames=3, rollout_directions="both",
    state_density="mixture",
)  # fmt: skip
_KEYPOINTS = dataclasses.replace(
    _VECTOR, latent="keypoints", num_keypoints=1, kinetic="quadratic", rollout_directions="outward",
    use_transform=False, background="colour", seen_frames=5, refinement_steps=2,
    refinement_target="points",
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


@pytest.mark.parametrize(("config", "seen"), [(_VECTOR, slice(1, 4)), (_KEYPOINTS, slice(0, 5))])
@pytest.mark.slow
def test_the_states_of_clips_are_those_of_their_rollouts(config, seen, tmp_path):
    run = _run(tmp_path, config)
    points, clips = states.collect_points(run)
    start = jax.jit(run.model.start)(run.state.params, CLIPS[:, seen])  # the frames in the middle
    paths = [run.model.rollout(run.state.params, start, 4, dt) for dt in (config.dt, -config.dt)]
    expected = np.concatenate([np.concatenate(path, axis=-1) for path in paths])
    for point, clip in zip(points, clips, strict=True):
        assert np.abs(expected[:, clip] - point).max(axis=-1).min() < 1e-4
    assert len(np.unique(points.round(5), axis=0)) == len(points) == 15  # at different times


def test_noisy_frames_are_read_with_the_density_as_prior(tmp_path):
    """With its mean and covariance, which a loaded run has, too."""
    config = dataclasses.replace(_KEYPOINTS, painter="discs", position_noise=0.1)
    run = _run(tmp_path, config)
    run = run._replace(state=TrainState(3, run.state.params, None, None, None))
    reading = states.reading_with_density(run)
    fitted = states.fit_or_load(run).fitted
    leaves, _ = jax.tree_util.tree_flatten_with_path({"params": run.state.params})
    arrays = {jax.tree_util.keystr(path, simple=True, separator="/"): np.asarray(leaf) for path, leaf in leaves}
    loaded = make_loaded(dataclasses.asdict(config), arrays, "config.json", fitted)
    chex.assert_trees_all_equal(loaded.params, reading.state.params)
    prior, whitening = reading.state.params.pop("prior"), fitted.whitening
    chex.assert_trees_all_equal(reading.state.params, run.state.params)
    points = whitening.unwhiten(np.random.default_rng(0).normal(size=(5, len(whitening.axes))))
    np.testing.assert_allclose(
        (points - prior["mean"]) @ prior["whiten"], whitening.whiten(points), rtol=1e-4, atol=1e-4
    )
    assert states.reading_with_density(_run(tmp_path, _KEYPOINTS)).state.params.keys() == run.state.params.keys()


def test_refinement_on_pixels_limits_the_number_of_clips():
    assert states.affordable_clips(_KEYPOINTS, 5) is states.affordable_clips(_VECTOR, 5) is None
    refined = dataclasses.replace(_VECTOR, refinement_steps=4)
    assert states.affordable_clips(refined, 5) == 60_000 // (5 * 4 * 9)
    assert states.affordable_clips(refined, 31) == states._MIN_CLIPS


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


@pytest.mark.slow
@pytest.mark.parametrize("kind", [sampling.NEW, "interpolation"])
def test_trajectories_of_keypoints(kind, tmp_path):
    run = _run(tmp_path, _KEYPOINTS)
    options = sampling.Options(num_samples=3, num_steps=6)
    density = states.fit_or_load(run)
    frames = sampling.trajectories(run.model, run.state.params, kind, CLIPS, options, density)
    assert frames.shape == (3, 7, 8, 8, 3)
    assert np.isfinite(frames).all()


@pytest.mark.parametrize("kind", ["mixture", "flow"])
def test_a_grid_of_states_has_only_a_prior(kind):
    from experiments.hgn import presets

    config = presets.get("pendulum_small")
    with pytest.raises(ValueError, match=f"state_density={kind} needs latent=vector or keypoints; got spatial"):
        presets.validate(dataclasses.replace(config, state_density=kind))


@pytest.mark.slow
def test_a_finished_run_has_the_density_that_its_configuration_names(tiny_runs, capsys):
    tiny = tiny_runs("hgn anchored")
    assert tiny.directory.state_density.exists()
    capsys.readouterr()
    density = states.fit_or_load(tiny.run)
    assert density.kind == tiny.config.state_density == "mixture"
    assert not capsys.readouterr().out.count("fitting")
    assert tiny.results.beyond_the_clip.samples is not None
