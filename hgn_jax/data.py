"""Reading data sets, without TensorFlow, by `tfds.data_source`."""

import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow_datasets as tfds

from hgn_jax.batching import BatchOrder

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
    """The training batches of a run, in the order of `BatchOrder`.

    Args:
      source: random-access examples.
      batch_size: examples per batch.
      seed: of the order.
      features: what of an example a batch holds.

    Raises:
      ValueError: if there are fewer examples than one batch needs.
    """

    def __init__(self, source: Sequence[Example], batch_size: int, seed: int, features: Sequence[str] = ("image",)):
        self._source, self._features = source, tuple(features)
        self._order = BatchOrder(len(source), batch_size, seed)

    def __call__(self, step: int) -> dict[str, np.ndarray]:
        """The batch of a step (from 0), arrays `[batch_size, ...]` by feature."""
        return stack(self._source, self._order(step), self._features)
