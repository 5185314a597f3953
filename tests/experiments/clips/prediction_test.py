"""Tests of `experiments.clips.prediction`, with a model that knows the physics."""

import functools
from unittest import mock

import jax
import numpy as np
import pytest

from data_builders.simulation import ground_truth as simulation
from experiments.clips.long_clips import take_films
from experiments.clips.prediction import (
    CompiledDynamics,
    LatentDynamics,
    combine,
    measure_latents,
    measure_prediction,
)
from experiments.clips.results import PredictionTime
from hgn_jax import rollout
from hgn_jax.physics.phase_space import PhaseState
from tests.experiments.clips import true_oscillator
from tests.experiments.clips.true_oscillator import DT, SYSTEM, make_clips, make_films, oscillator

_HORIZONS = (20, 40)


@pytest.fixture(scope="module")
def make_run(tmp_path_factory):
    """Function of fields of the builder's configuration that returns what `measure_prediction` takes of a run."""
    root = tmp_path_factory.mktemp("data")
    return functools.cache(lambda **fields: true_oscillator.make_run(make_clips(root, **fields), *_HORIZONS))


def _to_the_end(*horizons):
    """The prediction times of a model that is right to the end of every horizon, in both directions."""
    times = {str(n): PredictionTime(steps=float(n), fraction=1.0, horizon=n) for n in horizons}
    return {"forward": times, "backward": times}


def test_states_are_inferred_once_and_in_blocks():
    calls = []

    def infer(params, frames):
        calls.append(frames.shape)
        values = params * frames[:, 0, 0, 0].astype(np.float32)
        return PhaseState(values, -values)

    nothing = [lambda *_: None] * 3
    dynamics = CompiledDynamics(LatentDynamics(np.float32(2.0), 2, DT, infer, *nothing))
    frames = np.arange(70, dtype=np.uint8)[:, None, None, None, None] * np.ones((1, 2, 4, 4, 3), np.uint8)
    first, again = dynamics.infer(frames), dynamics.infer(frames.copy())
    assert again is first
    np.testing.assert_array_equal(first.q[:, 0], 2.0 * np.arange(70))
    assert calls == [(32, 2, 4, 4, 3)]  # traced once, for three blocks
    assert dynamics.infer(frames[:3]).p.shape == (3, 3)


def test_angles_that_differ_by_full_turns_are_one_place():
    nothing = [lambda *_: None] * 4
    turning, sliding = (
        CompiledDynamics(LatentDynamics(None, 2, DT, *nothing, angles=angles)) for angles in (True, False)
    )
    state = PhaseState(np.array([[0.3, -2.0]]), np.array([[1.0, 5.0]]))
    turned = PhaseState(state.q + 2 * np.pi * np.array([1, -3]), state.p)
    np.testing.assert_allclose(turning.coordinates(state, 1), turning.coordinates(turned, 1), atol=1e-12)
    np.testing.assert_array_equal(turning.coordinates(state, 1)[:, 4:], state.p)
    np.testing.assert_array_equal(sliding.coordinates(turned, 1), np.concatenate(turned, axis=-1))
    path, turned_path = (jax.tree.map(lambda x: np.stack([x, x + 4.0]), each) for each in (state, turned))
    np.testing.assert_allclose(turning.unwound(turned_path).q, path.q, atol=1e-12)
    assert sliding.unwound(turned_path) is turned_path


@pytest.mark.parametrize("noise, anchor", [(0.0, 0), (0.1, 0), (0.0, 4), (0.0, 8)])
def test_a_model_that_knows_the_physics_predicts_to_the_end_both_ways(make_run, noise, anchor):
    run = make_run(observation_noise=noise)
    fields = measure_prediction(run, oscillator(run.data.metadata, 9, anchor=anchor))
    clips = fields["prediction_clips"]
    assert clips.compared_with == "noise-free frames"
    assert clips.simulated_steps == {"before": 40, "after": 40}
    assert (clips.num_examples, clips.left_out) == (9, 0)
    assert "not_measured" not in fields
    assert fields["prediction"] == _to_the_end(*_HORIZONS)
    for times in fields["mean_image_prediction"].values():
        assert times["20"].steps <= times["40"].steps < 20


def test_a_wrong_frequency_is_noticed_both_ways(make_run):
    run = make_run()
    slow, slower = (
        measure_prediction(run, oscillator(run.data.metadata, 9, frequency=frequency))["prediction"]
        for frequency in (1.9, 1.8)
    )
    for direction in ("forward", "backward"):
        assert 5 < slow[direction]["40"].steps < 40
        assert slower[direction]["40"].steps < slow[direction]["40"].steps


def test_few_frames_seen(make_run):
    run = make_run()
    fields = measure_prediction(run, oscillator(run.data.metadata, 3))
    assert fields["prediction_clips"].simulated_steps == {"before": 34, "after": 34}
    assert fields["prediction"] == _to_the_end(*_HORIZONS)


def test_clips_that_are_long_enough_are_not_extended(make_run):
    run = make_run(num_test_steps=60)
    fields = measure_prediction(run, oscillator(run.data.metadata, 9))
    assert fields["prediction_clips"].simulated_steps == {"before": 0, "after": 0}
    assert fields["prediction"] == _to_the_end(*_HORIZONS)


def test_trajectories_that_cannot_be_followed_are_left_out_and_counted(make_run):
    run, follow = make_run(), simulation.follow
    dynamics = oscillator(run.data.metadata, 9)

    def follow_some(setting, start, drawn):
        path, accurate = follow(setting, start, drawn)
        return path, accurate & (np.arange(len(accurate)) != (3 if setting.dt > 0 else 5))

    with mock.patch.object(simulation, "follow", follow_some):
        fields = measure_prediction(run, dynamics)
    assert (fields["prediction_clips"].num_examples, fields["prediction_clips"].left_out) == (7, 2)
    assert fields["prediction"] == _to_the_end(*_HORIZONS)


def test_without_any_trajectory_that_can_be_followed_the_reason_is_given(make_run):
    run = make_run()
    with mock.patch.object(simulation, "follow", lambda setting, x, drawn: (x, np.zeros(len(x.q), bool))):
        fields = measure_prediction(run, oscillator(run.data.metadata, 9))
    assert fields["prediction"] == {"forward": {}, "backward": {}}
    assert "float64" in fields["not_measured"]["valid_prediction_time"]


@pytest.mark.parametrize("stride", [2, 4])
def test_films_are_put_together_from_their_windows(make_run, stride):
    simulated = make_run().data  # clips of 9 frames
    films = take_films(make_films(simulated, stride), 5, 40, 3)
    assert (films.margins, films.left_out) == ((2, 2), 0)
    np.testing.assert_array_equal(films.frames, [simulated.splits["test"][i]["image"] for i in range(3)])
    short = take_films(make_films(simulated, stride), 5, 1, 3)  # two clips of at most 7 frames of the same film
    np.testing.assert_array_equal(short.frames[0], simulated.splits["test"][0]["image"][:7])


def test_windows_with_gaps_are_no_films(make_run):
    films = take_films(make_films(make_run().data, 6), 5, 40, 3)
    assert films.frames.shape[1] == 5


def test_films_are_taken_as_they_are(make_run):
    simulated = make_run().data
    films = true_oscillator.make_run(make_films(simulated, 4), *_HORIZONS)
    fields = measure_prediction(films, oscillator(simulated.metadata, 4))
    assert fields["prediction_clips"].compared_with == "observed frames"
    assert fields["prediction"] == _to_the_end(5)  # 4 of 9 frames are seen
    short = true_oscillator.make_run(make_films(simulated, 6), *_HORIZONS)
    fields = measure_prediction(short, oscillator(simulated.metadata, 5))
    assert fields["prediction"] == {"forward": {}, "backward": {}}
    assert "beyond those that the model sees" in fields["not_measured"]["valid_prediction_time"]


@pytest.fixture(scope="module")
def examples():
    """True states, `q` and `p` `[examples, time, d]`."""
    start = PhaseState(*np.random.default_rng(0).standard_normal((2, 40, 1)).astype(np.float32))
    path = rollout(SYSTEM.hamiltonian, start, DT, 12)
    return {name: np.swapaxes(half, 0, 1) for name, half in zip(("q", "p"), path, strict=True)}


def test_the_true_states_are_canonical(examples):
    latent = measure_latents(PhaseState(examples["q"], examples["p"]), examples)["latent"]
    assert (latent.score, latent.order, latent.num_latents) == (1.0, 1, 2)


def test_states_of_any_shape_at_fewer_times(examples):
    weights = np.random.default_rng(1).standard_normal((4, 4, 3))
    grid = PhaseState(*(examples[name][:, :-1, :, None, None] * weights for name in ("q", "p")))
    latent = measure_latents(grid, examples)["latent"]
    assert (latent.score, latent.num_latents) == (1.0, 2)  # one pair of 48
    unrelated = PhaseState(*(half[::-1] for half in grid))
    assert measure_latents(unrelated, examples)["latent"].score == 0.0


def test_pairs_that_the_posterior_does_not_know_are_dropped(examples):
    noise = np.random.default_rng(1).standard_normal((2, 40, 13, 1))
    latents = PhaseState(*(np.concatenate([x, e], axis=-1) for x, e in zip(examples.values(), noise, strict=True)))
    variance = np.tile([0.1, 0.9, 0.2, 0.8], (40, 1))
    assert measure_latents(latents, examples, variance)["latent"].num_latents == 2
    assert measure_latents(latents, examples)["latent"].num_latents == 4


def test_numbers_that_are_not_finite_are_none(examples):
    broken = PhaseState(examples["q"] / np.float32(0.0), examples["p"])
    latent = measure_latents(broken, examples)["latent"]
    assert (latent.score, latent.distance) == (0.0, None)


def test_the_reason_is_given_where_latents_cannot_be_measured(examples):
    latents = PhaseState(examples["q"], examples["p"])
    videos = measure_latents(latents, {"image": None})
    assert "videos do not tell" in videos["not_measured"]["SyMetric"]
    few = jax.tree.map(lambda x: x[:1], (latents, examples))
    assert "16 points" in measure_latents(*few)["not_measured"]["SyMetric"]


def test_combine_joins_the_reasons():
    parts = ({"a": 1}, {"b": 2, "not_measured": {"x": "no"}}, {"not_measured": {"y": "nor"}})
    assert combine(*parts) == {"a": 1, "b": 2, "not_measured": {"x": "no", "y": "nor"}}
    assert combine({"a": 1}, {}) == {"a": 1, "not_measured": {}}
