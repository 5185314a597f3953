"""Tests of extending trajectories: the stored middle of a trajectory, extended at both ends, is the whole."""

import functools
import pathlib
import tempfile

import numpy as np
from absl.testing import parameterized

from data_builders import datasets
from data_builders.rendering import images as rendering
from data_builders.simulation import continuation
from hgn_jax.data import datasets as data

_NUM_FRAMES = 19
_MIDDLE = slice(6, 12)
_NUM_EXAMPLES = 6
_CONFIGS = {
    "three_body": ("three_body", {}),
    "damped": ("pendulum", {"damping": 0.3}),
    "randomised": ("double_pendulum", {"constant_ranges": {"m1": (0.5, 1.0), "l2": (0.3, 0.5)}, "num_colours": 4}),
    "noisy": ("mass_spring", {"observation_noise": 0.1}),
}


def _cut(example, part):
    return {**example, **{name: example[name][part] for name in ("image", "q", "p")}}


class ContinuationTest(parameterized.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.root = pathlib.Path(cls.enterClassContext(tempfile.TemporaryDirectory()))

    @functools.cache  # noqa: B019
    def _dataset(self, name):
        """Returns the test examples of a data set, which has no noise unless configured, and its metadata."""
        system, changes = _CONFIGS[name]
        sizes = {"num_train": 1, "num_test": _NUM_EXAMPLES, "num_steps": _NUM_FRAMES - 1, "image_size": 16}
        config = datasets.derive_config(system, "noise_free", **sizes, **changes)
        splits, metadata = data.open_dataset(datasets.ensure_built(system, config, self.root, num_workers=1))
        return splits["test"].__getitems__(list(range(_NUM_EXAMPLES))), metadata

    @parameterized.parameters("three_body", "damped", "randomised")
    def test_the_middle_extended_at_both_ends_is_the_whole(self, name):
        examples, metadata = self._dataset(name)
        extended = continuation.lengthen(metadata, [_cut(x, _MIDDLE) for x in examples], 6, 7)
        self.assertLen(extended, _NUM_EXAMPLES)
        for longer, example in zip(extended, examples, strict=True):
            self.assertEqual(longer["index"], example["index"])
            for feature in ("q", "p"):
                self.assertEqual(longer[feature].dtype, np.float32)
                np.testing.assert_allclose(longer[feature], example[feature], atol=1e-5)
            self.assertEqual(longer["image"].dtype, np.uint8)
            np.testing.assert_array_equal(longer["image"][_MIDDLE], example["image"][_MIDDLE])
            difference = longer["image"].astype(int) - example["image"]
            self.assertLessEqual(np.abs(difference).max(), 1)  # a float32 state may round to the next grey level

    def test_the_noise_has_the_level_of_the_data_set(self):
        examples, metadata = self._dataset("noisy")
        extended = continuation.lengthen(metadata, examples, 150, 150)
        frames, q = (np.stack([x[name] for x in extended]) for name in ("image", "q"))
        canvas, expected = rendering.canvas_from_metadata(metadata), rendering.expected_images(metadata, q)
        drawn = rendering.render(canvas, q + 0.1 * np.random.default_rng(0).standard_normal(q.shape))
        errors, reference = (np.mean((x / 255.0 - expected) ** 2, axis=(2, 3, 4)) for x in (frames, drawn))
        for part in (slice(None, 150), slice(-150, None)):
            self.assertAlmostEqual(errors[:, part].mean() / reference.mean(), 1.0, delta=0.15)
        # Neither ends nor trajectories share their noise.
        noise = frames / 255.0 - expected
        ends = np.concatenate([noise[:, :150][:, ::-1], noise[:, -150:]]).reshape(2 * _NUM_EXAMPLES, -1)
        self.assertLess(np.abs(np.corrcoef(ends) - np.eye(len(ends))).max(), 0.2)

    def test_a_trajectory_depends_only_on_itself(self):
        examples, metadata = self._dataset("noisy")
        together = continuation.lengthen(metadata, examples, 9, 4)
        [alone] = continuation.lengthen(metadata, examples[3:4], 5, 8)
        for name in ("image", "q", "p"):
            short = together[3][name][4:]
            np.testing.assert_allclose(alone[name][: len(short)], short, atol=1e-6, err_msg=name)

    def test_nothing_to_add(self):
        examples, metadata = self._dataset("noisy")
        [extended] = continuation.lengthen(metadata, examples[:1], 0, 0)
        for name in ("image", "q", "p"):
            np.testing.assert_array_equal(extended[name], examples[0][name])
        self.assertNotIn("energy", extended)  # which would be too short
        with self.assertRaisesRegex(ValueError, "must be 0 or more, got -1 and 2"):
            continuation.lengthen(metadata, examples, -1, 2)

    def test_trajectories_that_cannot_be_followed_are_left_out(self):
        """Three bodies at rest fall into each other."""
        examples, metadata = self._dataset("three_body")
        falling = {**examples[1], "p": np.zeros_like(examples[1]["p"])}
        falling["q"] = np.tile(np.float32([1.0, 0.0, -0.5, 0.75**0.5, -0.5, -(0.75**0.5)]), (_NUM_FRAMES, 1))
        extended = continuation.lengthen(metadata, [examples[0], falling, examples[2]], 0, 20)
        self.assertEqual([x["index"] for x in extended], [examples[0]["index"], examples[2]["index"]])
