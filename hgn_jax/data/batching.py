"""The order of the training examples: a function of the seed and the step, so that it needs no state of its own."""

import functools

import numpy as np


class BatchOrder:
    """Which examples a step takes; every epoch is a new random order, and what does not fill a batch is left out.

    Args:
      num_examples: in the training split.
      batch_size: examples per batch.
      seed: of the order.

    Raises:
      ValueError: if there are fewer examples than one batch needs.
    """

    def __init__(self, num_examples: int, batch_size: int, seed: int):
        if num_examples < batch_size:
            raise ValueError(f"a batch of {batch_size} needs as many examples; the training split has {num_examples}")
        self._batch_size = batch_size
        self._batches_per_epoch = num_examples // batch_size

        @functools.lru_cache(maxsize=1)
        def order(epoch: int) -> np.ndarray:
            return np.random.default_rng((seed, epoch)).permutation(num_examples)

        self._order = order

    def __call__(self, step: int) -> np.ndarray:
        """The indices of the batch of a step (from 0), `[batch_size]`."""
        epoch, position = divmod(step, self._batches_per_epoch)
        return self._order(epoch)[position * self._batch_size : (position + 1) * self._batch_size]
