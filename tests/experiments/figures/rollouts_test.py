"""Tests of `experiments.figures.rollouts`; `main_test.py` draws the whole figure."""

import numpy as np
import pytest

from experiments.figures import rollouts
from experiments.hgn import sampling
from tests.experiments import tiny_hgn

_CLIPS = tiny_hgn.CLIPS[:2]


@pytest.fixture(scope="module")
def rows():
    return rollouts.hgn_rollouts(*tiny_hgn.model(), _CLIPS)


def test_rows(rows):
    labels = ["forward, +dt", "back from the end, −dt", "before the start, −dt", "fast, +2 dt", "slow, +½ dt"]
    assert list(rows) == [f"HGN {label}" for label in labels]
    assert {frames.shape for frames in rows.values()} == {_CLIPS.shape}


def test_the_way_back_is_the_way_there_reversed(rows):
    forward = rows["HGN forward, +dt"]
    assert np.abs(forward[:, -1] - forward[:, 0]).max() > 1e-4
    back = np.clip(rows["HGN back from the end, −dt"], 0, 1)
    np.testing.assert_allclose(back, forward[:, ::-1], atol=1e-5)
    before = rows["HGN before the start, −dt"]
    np.testing.assert_allclose(before[:, 0], forward[:, 0], atol=1e-5)
    assert np.abs(before[:, 1] - forward[:, 1]).max() > 1e-5


def test_the_training_clip_is_left_and_the_test_clip_right():
    clips = np.zeros((2, 3, 4, 4, 3))
    clips[0, ..., 0] = clips[1, ..., 1] = 1.0
    figure = rollouts.draw_rows({"original": clips, **dict.fromkeys("abcde", clips), "HNN": clips})
    for axes, title, channel in zip(figure.axes, ("training clip", "test clip"), (0, 1), strict=True):
        assert axes.get_title() == title
        shown = axes.images[0].get_array()
        assert set(np.unique(shown[..., channel])) == {1.0}
        assert set(np.unique(shown[..., 2])) == {0.0, 1.0}  # with white gaps
    assert len(figure.axes[0].get_yticklabels()) == 7


def test_all_kinds_that_start_from_one_clip_are_shown():
    shown = set(rollouts._LABELS) - {rollouts._RETURNING}
    assert shown == set(sampling.KINDS) - {sampling.NEW, "interpolation"}
