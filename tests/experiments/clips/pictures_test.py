"""Tests of `experiments.clips.pictures`."""

import numpy as np
import pytest

from experiments.clips import pictures
from experiments.clips.results import Errors
from tests.experiments import made_up_results


@pytest.mark.parametrize("seen, marks", [(5, []), (2, [1]), (1, [0])])
def test_the_last_frame_seen_is_marked(seen, marks):
    figure = pictures.draw_errors(made_up_results.results(frames_seen=seen), "HGN")
    for axes in figure.axes:
        lines = [line for line in axes.lines if line.get_label() == "last frame seen"]
        assert [line.get_xdata()[0] for line in lines] == marks


def test_errors_of_every_row_under_its_name():
    scipy = Errors(mse=3e-4, mse_std=0.0, mse_per_step=[3e-4] * 5)
    results = made_up_results.results(test=made_up_results.split_errors(scipy=scipy))
    lines = {line.get_label(): line.get_ydata() for line in pictures.draw_errors(results, "HNN").axes[1].lines}
    assert list(lines) == ["HNN", "HNN, by scipy", "mean image", "first frame held"]
    np.testing.assert_array_equal(lines["HNN, by scipy"], 3e-4)
    np.testing.assert_array_equal(lines["first frame held"], [np.nan, *[4e-4] * 4])
