"""Tests of `experiments.reporting.pictures`."""

import gc

import imageio.v3 as imageio
import numpy as np
import pytest

from experiments.reporting import pictures, style


def test_strips_show_every_clip(tmp_path):
    observed = np.zeros((2, 5, 8, 8, 3), np.float32)
    observed[0, ..., 0] = observed[1, ..., 1] = 1.0  # a red clip and a green one
    predicted = np.zeros_like(observed)
    predicted[..., 2] = 1.0  # reconstructed in blue
    figure = pictures.draw_clips([("observed", observed), ("HGN", predicted)], "test")
    image = figure.axes[0].images[0].get_array()
    colours = [tuple(row[0]) for row in image[::1] if set(row[0]) <= {0.0, 1.0} and sum(row[0]) == 1.0]
    order = [colour for i, colour in enumerate(colours) if i == 0 or colour != colours[i - 1]]
    assert order == [(1, 0, 0), (0, 0, 1), (0, 1, 0), (0, 0, 1)]  # the second clip below the first
    style.save(figure, tmp_path / "strips.png")


def test_labels_and_times_of_strips():
    rows = [(name, np.zeros((2, 31, 8, 8, 3))) for name in "ab"]
    (axes,) = pictures.draw_clips(rows, "title", dt=-0.5, max_frames=3).axes
    assert [label.get_text() for label in axes.get_yticklabels()] == ["a", "b", "a", "b"]
    assert [label.get_text() for label in axes.get_xticklabels()] == ["0", "-7.5", "-15"]


def test_training_curves_are_logarithmic_if_possible():
    rows = [{"step": step, "mse": 1.0 / step, "kl": 0.0} for step in (1, 2, 3)]
    figure = pictures.draw_training(rows, {"mse": "error", "kl": "KL", "multiplier": "multiplier"})
    assert [axes.get_title() for axes in figure.axes] == ["error", "KL"]
    assert [axes.get_yscale() for axes in figure.axes] == ["log", "linear"]
    figure = pictures.draw_training(rows, {"mse": "error"}, logarithmic=False)
    assert figure.axes[0].get_yscale() == "linear"


def test_no_curves_without_rows():
    assert pictures.draw_training([], {"mse": "error"}) is None


def test_frame_numbers():
    assert list(pictures.frame_numbers(31, 4)) == [0, 10, 20, 30]
    assert list(pictures.frame_numbers(3, 8)) == [0, 1, 2]


@pytest.mark.parametrize(("suffix", "largest_error"), [(".gif", 1), (".mp4", 12)])
def test_movies_show_every_clip(tmp_path, suffix, largest_error):
    shades = np.linspace(0, 1, 2 * 2 * 3).reshape(2, 2, 3)  # of row, clip and frame
    rows = list(np.broadcast_to(shades[..., None, None, None], (*shades.shape, 8, 8, 3)))
    pictures.write_movie(tmp_path / f"movie{suffix}", rows)
    frames = imageio.imread(tmp_path / f"movie{suffix}").astype(float)
    middles = frames[:, 16::36, 16::36, 1]  # pixels are enlarged four times, and one is between clips
    np.testing.assert_allclose(middles, 255 * shades.transpose(2, 0, 1), atol=largest_error)
    assert gc.get_freeze_count() == 0
