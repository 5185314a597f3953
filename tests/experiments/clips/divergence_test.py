"""Tests of `experiments.clips.divergence`."""

import numpy as np
import pytest

from experiments.clips import beyond, divergence
from tests.experiments.clips.true_oscillator import make_clips


@pytest.fixture(scope="module")
def clips(tmp_path_factory):
    return make_clips(tmp_path_factory.mktemp("data"), "double_pendulum")


def test_the_true_system_departs_from_itself_by_more_if_it_starts_more_wrong(clips):
    long_clips = beyond.extend_clips(clips, 30)
    exact, close, far = (
        divergence.roll_out_from_wrong_start(clips, long_clips, 34, level).q for level in (0.0, 0.001, 0.01)
    )
    np.testing.assert_allclose(exact, long_clips.q, atol=2e-3)  # float32
    distance = [np.abs(q - long_clips.q).mean(axis=(0, 2)) for q in (close, far)]
    assert np.all(distance[0][[0, 34, -1]] < distance[1][[0, 34, -1]])
    assert min(far_away / distance[1][34] for far_away in distance[1][[0, -1]]) > 1.5
    np.testing.assert_allclose(distance[1][34], 10 * distance[0][34], rtol=1e-2)


def test_only_chaotic_systems_diverge(clips):
    assert divergence.is_chaotic(clips)
    for changes in ({"system": "two_body"}, {"damping": 0.1}, {"constant_ranges": {"m1": (1, 2)}}):
        assert not divergence.is_chaotic(clips._replace(metadata={**clips.metadata, **changes}))
