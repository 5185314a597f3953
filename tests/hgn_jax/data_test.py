"""Tests of `hgn_jax.data`; `experiments/hgn_test.py` reads a real data set."""

import numpy as np
from absl.testing import absltest, parameterized

from hgn_jax.data import Batches, stack


class _Source(list):
    """Random access as `tfds.data_source` gives it."""

    def __getitems__(self, indices):
        return [self[i] for i in indices]


_SOURCE = _Source({"image": np.full((2, 2), i), "index": i} for i in range(23))


class DataTest(parameterized.TestCase):
    def test_stack(self):
        batch = stack(_SOURCE, np.array([3, 5]), ("image", "index"))
        np.testing.assert_array_equal(batch["index"], [3, 5])
        self.assertEqual(batch["image"].shape, (2, 2, 2))

    def test_an_epoch_shows_every_example_once(self):
        batches = Batches(_SOURCE, 4, seed=0, features=("index",))
        epochs = [[int(i) for step in range(5 * e, 5 * e + 5) for i in batches(step)["index"]] for e in range(2)]
        for epoch in epochs:
            self.assertLen(set(epoch), 20)  # 23 examples make five batches of four
        self.assertNotEqual(*epochs)

    def test_a_batch_depends_on_seed_and_step_alone(self):
        forwards = [Batches(_SOURCE, 4, seed=1)(step)["image"] for step in range(12)]
        batches = Batches(_SOURCE, 4, seed=1)
        for step in reversed(range(12)):
            np.testing.assert_array_equal(batches(step)["image"], forwards[step])
        self.assertTrue(np.any(Batches(_SOURCE, 4, seed=2)(0)["image"] != forwards[0]))

    def test_refuses_a_batch_larger_than_the_split(self):
        with self.assertRaisesRegex(ValueError, "batch of 24.*has 23"):
            Batches(_SOURCE, 24, seed=0)


if __name__ == "__main__":
    absltest.main()
