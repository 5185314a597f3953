"""Tests of `experiments.clips.beyond`, with a model that is the true system: it is right in whatever is measured."""

from unittest import mock

import numpy as np
import pytest

from data_builders.simulation import ground_truth as simulation
from experiments.clips import beyond
from experiments.clips.results import Latent
from tests.experiments.clips.true_oscillator import make_clips, make_films, make_run, oscillator

_LATENT = Latent(score=1.0, r_squared=1.0, distance=0.0, order=1, num_latents=2)


@pytest.fixture(scope="module")
def clips(tmp_path_factory):
    return make_clips(tmp_path_factory.mktemp("data"), num_test=40)


@pytest.fixture(scope="module", params=[0, 2, 3], ids=["at the first frame", "in the middle", "after it"])
def right(clips, request):
    """The measurements of the true system, whose state is inferred at one of five frames, and what is shown of them."""
    true_system = oscillator(clips.metadata, 5, anchor=request.param)
    return beyond.measure_beyond_the_clip(make_run(clips, 60, 120), true_system, _LATENT)


def test_the_true_system_is_right_to_the_end_both_ways(right):
    measured, _ = right
    assert measured.skill > 0.999
    for skill in (measured.skill_forward, measured.skill_backward):
        assert skill.keys() == {"10", "30", "60", "100"}
        assert min(skill.values()) > 0.998
    assert measured.vpt == measured.horizon == [120, 120]
    assert (measured.num_clips, measured.left_out, measured.num_steps) == (32, 0, [120, 120])


def test_the_state_of_the_true_system_knows_the_physics_and_no_clock(right):
    measured, _ = right
    assert measured.reencoding_error < 1e-3
    assert measured.clock_share < 0.1  # the phases of 32 clips do not cancel exactly
    assert measured.period_error < 1e-3
    assert measured.energy_rank_correlation > 0.99
    assert (measured.kl_nats, measured.true_dimensions, measured.symetric) == (2.5, 2, 1.0)


def test_samples_of_the_true_system_are_like_the_data(right):
    measured, shown = right
    assert measured.samples.fidelity > 0.99 and measured.samples.fidelity_after_60 > 0.99
    assert measured.samples.energy_distance < 0.3  # 40 test clips
    assert measured.samples.position_distance < 0.3
    np.testing.assert_array_less(shown.samples.energies, 3 * 0.8**2)
    assert measured.not_measured.keys() == {"law"}


def test_what_is_shown_of_the_true_system(right):
    _, shown = right
    assert shown.skill.shape == (249,) and shown.skill.min() > 0.99
    assert (shown.clip, shown.window) == ((120, 129), (122, 127))
    np.testing.assert_allclose(shown.rolled_out, shown.inferred, atol=0.05)
    np.testing.assert_allclose(shown.oscillation.learned, np.pi, rtol=2e-3)
    np.testing.assert_allclose(shown.targets, shown.images, atol=0.2)


def test_a_wrong_frequency_is_seen_in_every_measure_of_the_motion(clips):
    measured, _ = beyond.measure_beyond_the_clip(
        make_run(clips, 60, 120), oscillator(clips.metadata, 5, frequency=1.9), _LATENT
    )
    assert measured.period_error == pytest.approx(2.0 / 1.9 - 1, rel=0.02)
    assert measured.skill > 0.9 > measured.skill_forward["30"] > measured.skill_forward["60"]
    assert max(measured.horizon) < 30
    assert measured.horizon[0] <= measured.vpt[0]
    assert measured.reencoding_error > 0.01
    assert measured.energy_rank_correlation > 0.99


def test_with_noise_the_average_image_is_the_best_prediction(tmp_path):
    clips = make_clips(tmp_path, observation_noise=0.1)
    sharp, blurred = (
        beyond.measure_beyond_the_clip(make_run(clips, 30), oscillator(clips.metadata, 9, noise=noise), None)[0]
        for noise in (0.0, 0.1)
    )
    assert sharp.skill < blurred.skill < 1 and blurred.skill > 0.9
    assert min(blurred.horizon) > min(sharp.horizon)
    assert blurred.samples.fidelity > 0.95


def test_trajectories_that_float64_cannot_follow_are_left_out_or_followed_less_far(clips):
    follow = simulation.follow

    def lose(most_steps, lost):
        def follow_some(setting, start, drawn):
            path, accurate = follow(setting, start, drawn)
            return path, accurate & ((setting.num_steps <= most_steps) | (np.arange(len(accurate)) >= lost))

        return mock.patch.object(simulation, "follow", follow_some)

    with lose(60, 5):
        long_clips = beyond.extend_clips(clips, 120)
    assert (long_clips.margins, long_clips.left_out) == ((120, 120), 5)
    with lose(60, 30):
        long_clips = beyond.extend_clips(clips, 120)
    assert (long_clips.margins, long_clips.left_out) == ((60, 60), 0)


def test_films_are_compared_with_their_own_frames(clips):
    films = make_films(clips, 2, num_films=6)
    measured, shown = beyond.measure_beyond_the_clip(make_run(films, 60, 120), oscillator(clips.metadata, 3), None)
    assert measured.skill > 0.99
    assert measured.horizon == measured.vpt == [2, 2]  # windows of 5 of the 9 frames of a film
    assert (measured.num_steps, measured.horizon_threshold, measured.num_clips) == ([2, 2], 0.5, 6)
    assert set(measured.skill_forward.values()) == {None}
    assert measured.samples.fidelity is None and measured.samples.energy_distance is not None
    unknown = {"true_dimensions", "energy_rank_correlation", "period_error", "symetric", "law"}
    assert measured.not_measured.keys() == {*unknown, "skill_forward", "skill_backward"}
    assert (shown.oscillation, shown.clip) == (None, (2, 7))


def test_one_film_that_is_no_longer_than_a_window(clips):
    films = make_films(clips, 6, num_films=1)
    measured, _ = beyond.measure_beyond_the_clip(make_run(films, 60, 120), oscillator(clips.metadata, 5), None)
    assert measured.skill > 0.99
    assert measured.horizon == measured.vpt == [None, None]
    assert {"horizon", "vpt", "reencoding_error", "clock_share"} < measured.not_measured.keys()
