"""Tests of figures of videos, whose true states are not known; `dataset_gallery_test.py` draws the systems."""

from experiments.figures import dataset, phase_portrait
from experiments.figures.figure import System
from tests.experiments import tiny_hgn


def _videos():
    return System("video_folder", "HGN", tiny_hgn.run(metadata={}), {})


def test_videos_show_their_mean_image():
    drawn = dataset.draw(_videos())
    assert "Left: the mean image of the training split; the true states and energies of videos are not" in drawn.caption
    assert drawn.caption.endswith("Right: clips of the test split.")
    assert drawn.figure.axes[0].get_title() == "mean image of the training split"


def test_the_phase_portrait_of_videos_has_no_true_energy():
    drawn = phase_portrait.draw(_videos())
    assert "The true energy is not known." in drawn.caption
    assert drawn.figure.axes[0].get_title() == "learned energy"
    assert len(drawn.figure.axes) == 2  # with the colour bar
