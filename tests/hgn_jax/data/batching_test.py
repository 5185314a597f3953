"""Tests of `hgn_jax.data.batching`."""

import numpy as np
from absl.testing import absltest

from hgn_jax.data.batching import BatchOrder


class BatchOrderTest(absltest.TestCase):
    def test_an_epoch_shows_every_example_once(self):
        order = BatchOrder(23, 4, seed=0)
        epochs = [np.concatenate([order(step) for step in range(5 * e, 5 * e + 5)]).tolist() for e in range(2)]
        for epoch in epochs:
            self.assertLen(set(epoch), 20)  # 23 examples make five batches of four
        self.assertNotEqual(*epochs)

    def test_a_batch_depends_on_seed_and_step_alone(self):
        forwards = [BatchOrder(23, 4, seed=1)(step) for step in range(12)]
        order = BatchOrder(23, 4, seed=1)
        for step in reversed(range(12)):
            np.testing.assert_array_equal(order(step), forwards[step])
        self.assertTrue(np.any(BatchOrder(23, 4, seed=2)(0) != forwards[0]))

    def test_refuses_a_batch_larger_than_the_split(self):
        with self.assertRaisesRegex(ValueError, "batch of 24.*has 23"):
            BatchOrder(23, 24, seed=0)
