"""Tests of `hgn_jax.models.windows`."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
from absl.testing import parameterized

from hgn_jax import HGNConfig
from hgn_jax.models.objectives import example_keys
from hgn_jax.models.windows import Windows, draw_windows

_NUM_FRAMES, _BATCH = 13, 256
# The pixel of a frame holds the number of its clip and its own number.
_CLIPS = np.stack(
    np.broadcast_arrays(np.arange(_BATCH)[:, None], np.arange(_NUM_FRAMES), 0), axis=-1
)[:, :, None, None]  # fmt: skip
_SLOTS = np.arange(_BATCH)
_FIELDS = {"rollout_directions": "outward", "inference_frames": 5, "loss_frames": 4, "initial_horizon": 4}


@functools.cache
def _compiled(**changes):
    config = HGNConfig(**_FIELDS | changes)
    return jax.jit(
        lambda seed, slots, progress: draw_windows(
            config, example_keys(jax.random.PRNGKey(seed), slots), jnp.asarray(_CLIPS)[slots], progress
        )
    )


def _drawn(progress=0.0, seed=0, slots=_SLOTS, **changes) -> Windows:
    return jax.tree.map(np.asarray, _compiled(**changes)(seed, slots, progress))


class WindowsTest(parameterized.TestCase):
    @parameterized.product(
        changes=({}, {"inference_frames": 1, "loss_frames": None, "initial_horizon": None}), progress=(0.0, 0.25, 1.0)
    )
    def test_a_window_is_in_its_clip_and_targets_are_around_its_middle(self, changes, progress):
        windows = _drawn(progress, **changes)
        length, num_targets, initial_horizon = (1, _NUM_FRAMES, None) if changes else (5, 4, 4)
        seen, targets = windows.seen[:, :, 0, 0], windows.targets[:, :, 0, 0]
        for part in (seen, targets):
            np.testing.assert_array_equal(part[..., 0], np.broadcast_to(np.arange(_BATCH)[:, None], part.shape[:2]))
        seen_times, times = seen[..., 1], targets[..., 1]
        self.assertEqual(times.shape, (_BATCH, num_targets))
        np.testing.assert_array_equal(seen_times - seen_times[:, :1], np.tile(np.arange(length), (_BATCH, 1)))
        anchors = seen_times[:, length // 2 : length // 2 + 1]
        np.testing.assert_array_equal(windows.steps, times - anchors)
        self.assertTrue(all(len(set(row)) == num_targets for row in times))
        # Half of the horizon's growth is over at a quarter of the training, and all of it at the half.
        first = initial_horizon or _NUM_FRAMES
        horizon = first + (_NUM_FRAMES - first) * min(progress / 0.5, 1.0)
        self.assertLessEqual(np.abs(windows.steps).max(), horizon)

    @parameterized.parameters(None, 9, _NUM_FRAMES)
    def test_frames_that_a_state_is_fitted_to_are_the_window_and_others_around_it(self, seen_frames):
        windows = _drawn(seen_frames=seen_frames)
        seen_times, times = windows.seen[:, :, 0, 0, 1], windows.read[:, :, 0, 0, 1]
        np.testing.assert_array_equal(times - times[:, :1], np.tile(np.arange(seen_frames or 5), (_BATCH, 1)))
        np.testing.assert_array_equal(windows.read_steps, times - seen_times[:, 2:3])
        self.assertTrue(all(set(window) <= set(read) for window, read in zip(seen_times, times, strict=True)))
        before, after = seen_times[:, 0] - times[:, 0], times[:, -1] - seen_times[:, -1]
        even_or_at_an_end = (before == after) | (times[:, 0] == 0) | (times[:, -1] == _NUM_FRAMES - 1)
        self.assertTrue(even_or_at_an_end.all())

    def test_all_windows_and_all_targets_are_drawn(self):
        windows = _drawn(1.0)
        self.assertEqual(set(windows.seen[:, 2, 0, 0, 1]), set(range(2, _NUM_FRAMES - 2)))
        self.assertEqual(set(windows.targets[..., 1].ravel()), set(range(_NUM_FRAMES)))

    def test_targets_are_drawn_evenly(self):
        """Every frame within the horizon is as likely as any other, whether the anchor is near an end or not."""
        windows = [_drawn(seed=seed) for seed in range(20)]
        steps = np.concatenate([w.steps for w in windows])
        anchors = np.concatenate([w.seen[:, 2, 0, 0, 1] for w in windows])
        for anchor in (2, 6):
            reachable = [t - anchor for t in range(_NUM_FRAMES) if abs(t - anchor) <= 4]
            number, counts = np.unique(steps[anchors == anchor], return_counts=True)
            self.assertEqual(list(number), reachable)
            share = counts / counts.sum()
            np.testing.assert_allclose(share, 1 / len(reachable), atol=5 * np.sqrt(share.max() / counts.sum()))

    def test_a_draw_depends_on_the_key_of_the_clip_alone(self):
        order = np.random.default_rng(0).permutation(_BATCH)
        permuted, drawn = _drawn(slots=order), _drawn()
        jax.tree.map(lambda x, y: np.testing.assert_array_equal(x, y[order]), permuted, drawn)
