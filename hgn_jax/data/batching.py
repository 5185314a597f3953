"""The order of the training examples, a pure function of seed and step, so that there is no state to save."""

import functools

import numpy as np


class BatchOrder:
    """The indices of the examples in each batch.

    Every epoch is a new random order; the examples that do not fill a batch at its end are left out.

    Args:
      num_examples: Number of examples in the training split.
      batch_size: Number of examples per batch.
      seed: Seed of the order.

    Raises:
      ValueError: If there are fewer examples than one batch needs.
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
        """Returns the indices of the examples of a step (from 0), `[batch_size]`."""
        epoch, position = divmod(step, self._batches_per_epoch)
        return self._order(epoch)[position * self._batch_size : (position + 1) * self._batch_size]
