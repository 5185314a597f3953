"""Tests of real time: what is shown at a constant rate is what the times say."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_builders.video_folder import timing

delays = st.lists(st.integers(1, 12).map(lambda n: 0.05 * n), min_size=2, max_size=40)


@settings(max_examples=30, deadline=None)
@given(delays)
def test_a_rest_lasts_as_long_as_it_lasted(durations):
    """With durations that are multiples of one that occurs often, each frame is repeated exactly so often."""
    durations = np.array([0.05] * (2 + len(durations) // 5) + durations)
    times = np.concatenate([[3.0], 3.0 + np.cumsum(durations)])
    assert timing.typical_interval(times) == pytest.approx(0.05)
    np.testing.assert_array_equal(timing.repetitions(times), np.rint(durations / 0.05))


@settings(max_examples=30, deadline=None)
@given(st.integers(2, 200), st.floats(1, 240), st.floats(0, 0.2), st.integers(0, 2**31))
def test_jitter_and_rounding_repeat_and_skip_nothing(number, rate, jitter, seed):
    noise = np.random.default_rng(seed).uniform(-jitter, jitter, number + 1) / rate
    times = np.arange(number + 1) / rate + noise
    times[-1] = times[-2] + 1 / rate
    assert timing.typical_interval(times) == pytest.approx(1 / rate, rel=0.5 / number + 2 * jitter / number + 1e-6)
    np.testing.assert_array_equal(timing.repetitions(times), np.ones(number))


@settings(max_examples=30, deadline=None)
@given(delays, st.floats(0.5, 200))
def test_any_rate_keeps_the_duration_and_the_order(durations, rate):
    times = np.concatenate([[0.0], np.cumsum(durations)])
    numbers = timing.repetitions(times, rate)
    assert abs(numbers.sum() - times[-1] * rate) <= 1
    begin = (np.cumsum(numbers) - numbers)[numbers > 0] / rate
    late = begin - times[:-1][numbers > 0]
    assert (late >= -0.5 / rate - 1e-9).all() and (late <= 1 / rate + 1e-9).all()


@pytest.mark.parametrize("number", [20, 21])
def test_a_film_of_twice_the_rate_loses_every_second_frame(number):
    times = np.arange(number + 1) / 60
    np.testing.assert_array_equal(timing.repetitions(times, 30.0), (np.arange(number) + 1) % 2)


def test_frames_that_take_no_time_are_skipped():
    np.testing.assert_array_equal(timing.repetitions(np.array([0.0, 0.1, 0.1, 0.2, 0.3])), [1, 0, 1, 1])
    np.testing.assert_array_equal(timing.repetitions(np.zeros(4)), [0, 0, 1])
