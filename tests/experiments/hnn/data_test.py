"""Tests of `experiments.hnn.data`, on the data of tiny runs."""

import dataclasses

import chex
import jax
import numpy as np

from experiments.hnn.data import batches, load_states
from hgn_jax import data


def test_batches_are_windows_of_the_clips(tiny_runs):
    run = tiny_runs("hnn pixel").run
    clips = data.stack(run.data.splits["train"], range(24), ("image",))["image"]
    starts_by_window = {clip[t : t + 3].tobytes(): t for clip in clips for t in range(7)}
    batch_at, batch_at_again = (batches(run.config, run.data).batch_at for _ in range(2))
    starts = set()
    for step in range(24):
        images = batch_at(step)["image"]
        assert images.shape == (4, 3, 16, 16, 3)
        starts |= {starts_by_window[image.tobytes()] for image in images}
        np.testing.assert_array_equal(images, batch_at_again(step)["image"])
    assert starts == set(range(7))


def test_batches_hold_states_of_all_trajectories(tiny_runs):
    run = tiny_runs("hnn state").run
    batch_at = batches(run.config, run.data).batch_at
    epoch = [batch_at(step) for step in range(3)]  # 3 x 8 of 24 trajectories
    assert epoch[0]["q"].shape == (8, 9, 4)
    drawn = np.concatenate([np.concatenate(list(batch.values()), axis=-1).reshape(-1, 16) for batch in epoch])
    stored = np.concatenate(list(load_states(run.config, run.data, "train").values()), axis=-1).reshape(-1, 16)
    np.testing.assert_array_equal(np.unique(drawn, axis=0), np.unique(stored, axis=0))
    assert not np.array_equal(epoch[0]["q"], batch_at(3)["q"])


def test_noise_is_added_to_the_states_alone_and_is_always_the_same(tiny_runs):
    run = tiny_runs("hnn state").run
    config = dataclasses.replace(run.config, state_noise=0.1)
    clean, noisy = load_states(config, run.data, "train", noise=False), load_states(config, run.data, "train")
    chex.assert_trees_all_equal(noisy, load_states(config, run.data, "train"))
    chex.assert_trees_all_equal(clean, load_states(run.config, run.data, "train"))
    for name in ("dq_dt", "dp_dt"):
        np.testing.assert_array_equal(noisy[name], clean[name])
    chex.assert_trees_all_equal(load_states(config, run.data, "train", 5), jax.tree.map(lambda x: x[:5], noisy))
    noise = np.stack([noisy[name] - clean[name] for name in "qp"])
    np.testing.assert_allclose(noise.std(), 0.1, atol=0.005)
    assert abs(np.corrcoef(noise.reshape(2, -1))[0, 1]) < 0.1
    test_noise = load_states(config, run.data, "test")["q"] - load_states(config, run.data, "test", noise=False)["q"]
    assert np.abs(test_noise[:5] - noise[0, :5]).max() > 0.05
