"""Tests of `experiments.clips.config`, with the configurations of HGN."""

import dataclasses
import os

import pytest

from experiments.clips.config import dataset_config, require_enough_trajectories, resolve
from experiments.hgn import presets


def test_overrides_reach_the_builder():
    config = presets.get("pendulum_small")
    config.data.num_train, config.data.observation_noise, config.image_size = 100, 0.0, 64
    dataset = dataset_config(config)
    assert (dataset.num_train, dataset.observation_noise, dataset.image_size) == (100, 0.0, 64)
    assert dataset.num_test == 1000


def test_image_size_and_fields_reach_the_builder():
    config = presets.get("pendulum_small")
    config.image_size = 64
    assert dataset_config(config).name == "small_64x64"
    config.data.fields = '{"damping": 0.1, "constants": {"g": 2}}'
    dataset = dataset_config(config)
    assert (dataset.damping, dataset.constants["g"], dataset.constants["m"]) == (0.1, 2.0, 0.5)


def test_resolving_fixes_the_videos_as_they_are(tmp_path):
    (tmp_path / "a.npy").write_text("x")
    config = presets.get("video")
    config.data.source, config.data.stride = os.path.relpath(tmp_path), 5
    resolved, dataset = resolve(config)
    assert resolved.data.source == os.path.realpath(tmp_path)
    assert len(resolved.data.fingerprint) == 16 and int(resolved.data.fingerprint, 16)
    assert (dataset.stride, dataset.fingerprint) == (5, resolved.data.fingerprint)
    assert config.data.fingerprint is None
    assert dataclasses.replace(resolved, data=config.data) == config
    (tmp_path / "b.npy").write_text("x")
    assert resolve(resolved)[0] == resolved
    assert resolve(config)[0].data.fingerprint != resolved.data.fingerprint


def test_resolving_leaves_simulated_data_alone():
    config = presets.get("pendulum")
    assert resolve(config)[0] is config


def test_videos_must_give_enough_windows():
    config = presets.get("video")
    config.data.source = "videos"
    require_enough_trajectories(config, {"train": 16, "test": 2})
    with pytest.raises(ValueError, match="batch_size is 16, but there are only 15 windows to train on; add some$"):
        require_enough_trajectories(config, {"train": 15, "test": 2}, "; add some")
    with pytest.raises(ValueError, match="^the test split has one window, and two are needed"):
        require_enough_trajectories(config, {"train": 16, "test": 1})
    with pytest.raises(ValueError, match="there is only 1 window to train on; the test split has one window"):
        require_enough_trajectories(config, {"train": 1, "test": 1})
