"""Reading data sets, without TensorFlow, by `tfds.data_source`, and checking what is read."""

import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow_datasets as tfds

from hgn_jax.data.batching import BatchOrder
from hgn_jax.errors import DataError, first_line

Example = Mapping[str, Any]

_LONGEST_REASON = 200  # characters of what a library says of bytes gone wrong


class Split:
    """Random-access examples of a data set, one or more.

    An example that cannot be read, is not finite or has other shapes than the first raises DataError.
    """

    def __init__(self, name: str, source: Sequence[Example]):
        self._name, self._source = name, source
        self._shapes = {}
        self._shapes = {feature: np.shape(value) for feature, value in self[0].items()}

    def __len__(self) -> int:
        return len(self._source)

    def __getitem__(self, index: int) -> Example:
        return self.__getitems__([index])[0]

    def __getitems__(self, indices: Sequence[int]) -> list[Example]:
        try:
            examples = self._source.__getitems__(indices)
        except Exception as error:  # array_record, zlib and TFDS have no common class of errors for bytes gone wrong
            reason = first_line(error)[:_LONGEST_REASON]
            raise DataError(f"{self._name}: {self._first_unreadable(indices)} ({reason})") from error
        for index, example in zip(indices, examples, strict=True):
            self._check(index, example)
        return examples

    def _first_unreadable(self, indices: Sequence[int]) -> str:
        for index in indices:
            try:
                self._source.__getitems__([index])
            except Exception:
                return f"example {index} cannot be read"
        return f"the examples {', '.join(map(str, indices))} cannot be read at once"

    def _check(self, index: int, example: Example) -> None:
        for feature, value in example.items():
            value, shape = np.asarray(value), self._shapes.get(feature)
            if shape is not None and value.shape != shape:
                raise DataError(f"{self._name}: {feature} of example {index} is {value.shape}, of the first {shape}")
            if value.dtype.kind == "f" and not np.isfinite(value).all():
                raise DataError(f"{self._name}: {feature} of example {index} is not finite")


def open_dataset(path: pathlib.Path | str) -> tuple[dict[str, Split], dict[str, Any]]:
    """Opens a prepared data set.

    Args:
      path: the directory of one version, `.../<name>/<config>/<version>`.

    Returns:
      Its splits by name, each a random-access sequence of examples, and its metadata.

    Raises:
      DataError: if the first example of a split cannot be used; later ones raise it when they are read.
    """
    metadata = tfds.core.MetadataDict()
    metadata.load_metadata(path)
    sources = tfds.builder_from_directory(str(path)).as_data_source()
    return {name: Split(f"{name} split of {path}", source) for name, source in sources.items()}, dict(metadata)


def stack(source: Sequence[Example], indices: Sequence[int], features: Sequence[str]) -> dict[str, np.ndarray]:
    """Reads the examples at `indices` and stacks each of `features` to `[len(indices), ...]`."""
    examples = source.__getitems__([int(i) for i in indices])
    return {name: np.stack([example[name] for example in examples]) for name in features}


class Cached:
    """Examples that are read once and kept in memory from then on, as many as there is room for.

    Args:
      source: random-access examples.
      features: what of an example is kept, and given.
      most_bytes: of all that is kept.
    """

    def __init__(self, source: Sequence[Example], features: Sequence[str], most_bytes: float):
        self._source, self._features, self._room = source, tuple(features), most_bytes
        self._kept: dict[int, Example] = {}

    def __len__(self) -> int:
        return len(self._source)

    def __getitems__(self, indices: Sequence[int]) -> list[Example]:
        unread = [index for index in indices if index not in self._kept]
        read = dict(zip(unread, self._source.__getitems__(unread) if unread else (), strict=True))
        for index, example in read.items():
            read[index] = {name: np.asarray(example[name]) for name in self._features}
            size = sum(value.nbytes for value in read[index].values())
            if size <= self._room:
                self._kept[index], self._room = read[index], self._room - size
        return [read[index] if index in read else self._kept[index] for index in indices]


class Batches:
    """The training batches of a run, in the order of `BatchOrder`.

    Args:
      source: random-access examples.
      batch_size: examples per batch.
      seed: of the order.
      features: what of an example a batch holds.
      part: the examples of each batch that are read; those of this process, where several train together.

    Raises:
      ValueError: if there are fewer examples than one batch needs.
    """

    def __init__(
        self,
        source: Sequence[Example],
        batch_size: int,
        seed: int,
        features: Sequence[str] = ("image",),
        part: slice = slice(None),
    ):
        self._source, self._features, self._part = source, tuple(features), part
        self._order = BatchOrder(len(source), batch_size, seed)

    def __call__(self, step: int) -> dict[str, np.ndarray]:
        """The part of the batch of a step (from 0), arrays `[examples, ...]` by feature."""
        return stack(self._source, self._order(step)[self._part], self._features)
