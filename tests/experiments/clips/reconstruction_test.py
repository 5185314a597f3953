"""Tests of `experiments.clips.reconstruction`, on tiny runs and on made-up errors."""

import numpy as np
import pytest

from data_builders.rendering import images as rendering
from experiments.clips.data import Clips
from experiments.clips.reconstruction import describe_videos, split_errors, unmeasured_errors
from experiments.clips.results import Videos
from hgn_jax import data
from tests.experiments.tiny_runs import NUM_EXAMPLES, NUM_FRAMES

_VIDEOS = Clips(
    {},
    {
        "source": "/videos",
        "fingerprint": "f",
        "videos": {"train": ["a", "b"], "test": ["c"]},
        "left_out": {"d.txt": "no video"},
        "splits": {"train": {"num_trajectories": 7}, "test": {"num_trajectories": 3}},
    },
)
_SIMULATED = Clips({}, {"canvas": {}, "splits": {"train": {}}})


@pytest.mark.parametrize("split", ["train", "test"])
@pytest.mark.parametrize("name", ["hgn", "hnn pixel"])
def test_errors_are_those_of_the_frames(tiny_runs, name, split):
    run, errors = tiny_runs(name).run, getattr(tiny_runs(name).results, split)
    assert errors.num_examples == NUM_EXAMPLES
    examples = data.stack(run.data.splits[split], range(NUM_EXAMPLES), ("image", "q"))
    images = examples["image"] / 255.0
    num_seen = NUM_FRAMES if name == "hgn" else 2
    predictions = {
        "model": run.model.reconstruct(run.state.params, examples["image"][:, :num_seen], NUM_FRAMES - 1),
        "mean_image": images.mean(axis=(0, 1)),
        "first_frame": images[:, :1],
        "noise_floor": rendering.expected_images(run.data.metadata, examples["q"], examples),
    }
    rows = {"model": errors, **errors.reference}
    assert rows.keys() == predictions.keys()
    for row, prediction in predictions.items():
        squared = np.square(np.asarray(prediction) - images).mean(axis=(2, 3, 4))
        np.testing.assert_allclose(rows[row].mse, squared.mean(), rtol=1e-3)
        np.testing.assert_allclose(rows[row].mse_per_step, squared.mean(axis=0), rtol=1e-3, atol=1e-12)
        np.testing.assert_allclose(rows[row].mse_std, squared.mean(axis=1).std(), rtol=1e-3)
    floor, mean_image = errors.reference["noise_floor"].mse, errors.reference["mean_image"].mse
    assert floor < mean_image
    assert errors.skill == pytest.approx(1 - (errors.mse - floor) / (mean_image - floor))


def test_skill_is_one_at_the_noise_floor_and_zero_at_the_mean_image():
    rows = {"model": 0.2, "mean_image": 0.5, "noise_floor": 0.1}
    errors = split_errors({name: np.full((3, 2), value) for name, value in rows.items()})
    assert errors.num_examples == 3
    assert errors.mse == pytest.approx(0.2)
    assert errors.skill == pytest.approx(0.75)


def test_without_a_noise_floor_there_is_no_skill():
    assert split_errors({"model": np.ones((3, 2)), "mean_image": np.ones((3, 2))}).skill is None


def test_videos_are_told_from_simulations_and_described():
    assert describe_videos(_SIMULATED) is None and unmeasured_errors(_SIMULATED) == {}
    assert unmeasured_errors(_VIDEOS).keys() == {"noise_floor", "skill"}
    assert describe_videos(_VIDEOS) == Videos(
        source="/videos", fingerprint="f", train_windows=7, test_windows=3, train_clips=2, test_clips=1,
        left_out={"d.txt": "no video"},
    )  # fmt: skip
