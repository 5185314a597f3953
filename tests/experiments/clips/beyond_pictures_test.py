"""Tests of `experiments.clips.beyond_pictures`."""

import imageio.v3 as imageio
import numpy as np
import pytest

from experiments.clips import beyond_pictures
from experiments.clips.beyond import BeyondShown
from experiments.clips.beyond_report import PICTURES
from experiments.clips.oscillation import Oscillation
from experiments.clips.results import Samples
from experiments.clips.sampled_states import SampledStates

_RNG = np.random.default_rng(0)
_NUMBERS = Samples(
    fidelity=1.0, fidelity_after_60=1.0, energy_distance=0.0, position_distance=0.0, position_distance_after_60=0.0
)


@pytest.fixture
def shown():
    """A clip of 9 frames, 5 of them seen, within 29."""
    amplitudes = np.array([0.5, 0.2, 0.9])
    return BeyondShown(
        skill=1.0 - 1e-3 * np.abs(np.arange(29) - 14) ** 2,
        clip=(10, 19),
        window=(12, 17),
        threshold=0.9,
        rolled_out=_RNG.standard_normal((8, 2)),
        inferred=_RNG.standard_normal((8, 2)),
        targets=_RNG.uniform(size=(2, 29, 8, 8, 3)),
        images=_RNG.uniform(size=(2, 29, 8, 8, 3)),
        divergence={"the true system, 1% off": np.linspace(1, 0, 29)},
        oscillation=Oscillation(amplitudes, np.array([2.0, np.nan, 2.1]), 2.0 + amplitudes**2, 0.1),
        samples=SampledStates(_NUMBERS, _RNG.standard_normal(50), _RNG.standard_normal(40)),
    )


def test_every_picture_of_the_page_is_written(shown, tmp_path):
    beyond_pictures.write_beyond(tmp_path, shown, "HGN")
    assert {path.name for path in tmp_path.iterdir()} == {picture.name for picture in PICTURES}
    movie = imageio.imread(tmp_path / "beyond_frames.gif")
    assert movie.shape[0] == 29


def test_what_was_not_measured_is_not_drawn(shown, tmp_path):
    nothing = np.zeros((0, 2))
    shown = shown._replace(
        skill=np.ones(9), clip=(0, 9), window=(2, 7), rolled_out=nothing, inferred=nothing, oscillation=None,
        samples=None, targets=shown.targets[:, :9], images=shown.images[:, :9], divergence={},
    )  # fmt: skip
    beyond_pictures.write_beyond(tmp_path, shown, "HGN")
    assert {path.name for path in tmp_path.iterdir()} == {"beyond_skill.png", "beyond_frames.png"}


def test_the_skill_is_drawn_at_the_steps_of_the_clip(shown):
    skill, error = beyond_pictures.draw_skill(shown).axes
    [line] = [line for line in skill.lines if line.get_label() == "model"]
    np.testing.assert_array_equal(line.get_xdata(), np.arange(29) - 10)
    np.testing.assert_allclose(line.get_ydata(), shown.skill)
    relative = [line.get_ydata() for line in error.lines if len(line.get_ydata()) == 29]
    np.testing.assert_allclose(relative[0], [*1.0 - shown.skill[:14], np.nan, *1.0 - shown.skill[15:]])
    assert "the true system, 1% off" in [line.get_label() for line in skill.lines]


def test_frames_that_were_seen_are_marked(shown):
    labels = [label.get_text() for label in beyond_pictures.draw_frames(shown, "HGN").axes[0].get_xticklabels()]
    assert labels[0] == "-10" and labels[-1] == "18"
    assert {label for label in labels if label.endswith("*")} <= {f"{step}*" for step in range(2, 7)}


def test_energies_that_are_not_numbers_are_left_out(shown):
    samples = shown.samples._replace(energies=np.full(50, np.nan))
    assert beyond_pictures.draw_energies(samples).axes[0].get_xlabel()
