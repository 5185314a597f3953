"""Tests of `hgn_jax.data`; `experiments/hgn_test.py` reads a real data set."""

import numpy as np
from absl.testing import absltest

from hgn_jax.batching import BatchOrder
from hgn_jax.data import Batches, stack


class _Source(list):
    """Random access as `tfds.data_source` gives it."""

    def __getitems__(self, indices):
        return [self[i] for i in indices]


_SOURCE = _Source({"image": np.full((2, 2), i), "index": i} for i in range(23))


class DataTest(absltest.TestCase):
    def test_stack(self):
        batch = stack(_SOURCE, np.array([3, 5]), ("image", "index"))
        np.testing.assert_array_equal(batch["index"], [3, 5])
        self.assertEqual(batch["image"].shape, (2, 2, 2))

    def test_batches_hold_the_examples_of_the_order(self):
        batches = Batches(_SOURCE, 4, seed=1, features=("index",))
        for step in (0, 7, 3):
            np.testing.assert_array_equal(batches(step)["index"], BatchOrder(23, 4, seed=1)(step))


if __name__ == "__main__":
    absltest.main()
