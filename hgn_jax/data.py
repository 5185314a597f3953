"""Reading data sets, without TensorFlow, by `tfds.data_source`.

The batch of a step is a function of the seed and the step alone, so the position in the data needs no state of its own.
"""

import functools
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow_datasets as tfds

Example = Mapping[str, Any]


def open_dataset(path: pathlib.Path | str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Opens a prepared data set.

    Args:
      path: the directory of one version, `.../<name>/<config>/<version>`.

    Returns:
      Its splits by name, each a random-access sequence of examples, and its metadata.
    """
    metadata = tfds.core.MetadataDict()
    metadata.load_metadata(path)
    return tfds.builder_from_directory(str(path)).as_data_source(), dict(metadata)


def stack(source: Sequence[Example], indices: Sequence[int], features: Sequence[str]) -> dict[str, np.ndarray]:
    """Reads the examples at `indices` and stacks each of `features` to `[len(indices), ...]`."""
    examples = source.__getitems__([int(i) for i in indices])
    return {name: np.stack([example[name] for example in examples]) for name in features}


class Batches:
    """The training batches of a run; every epoch is a new random order, and what does not fill a batch is left out.

    Args:
      source: random-access examples.
      batch_size: examples per batch.
      seed: of the order.
      features: what of an example a batch holds.

    Raises:
      ValueError: if there are fewer examples than one batch needs.
    """

    def __init__(self, source: Sequence[Example], batch_size: int, seed: int, features: Sequence[str] = ("image",)):
        if len(source) < batch_size:
            raise ValueError(f"a batch of {batch_size} needs as many examples; the training split has {len(source)}")
        self._source, self._batch_size, self._features = source, batch_size, tuple(features)
        self._batches_per_epoch = len(source) // batch_size

        @functools.lru_cache(maxsize=1)
        def order(epoch: int) -> np.ndarray:
            return np.random.default_rng((seed, epoch)).permutation(len(source))

        self._order = order

    def __call__(self, step: int) -> dict[str, np.ndarray]:
        """The batch of a step (from 0), arrays `[batch_size, ...]` by feature."""
        epoch, position = divmod(step, self._batches_per_epoch)
        indices = self._order(epoch)[position * self._batch_size : (position + 1) * self._batch_size]
        return stack(self._source, indices, self._features)
