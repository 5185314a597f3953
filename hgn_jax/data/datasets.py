"""Reads and checks data sets by `tfds.data_source`, without TensorFlow."""

import operator
import pathlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow_datasets as tfds

from hgn_jax.data.batching import BatchOrder
from hgn_jax.errors import DataError, first_line

Example = Mapping[str, Any]

_MAX_REASON_LENGTH = 200  # characters of another library's message about damaged bytes


class Examples(Sequence[Example]):
    """A sequence of examples, which are read when they are asked for.

    It can be iterated over, reversed, indexed by whole numbers of either sign and sliced; a slice is such a sequence
    again and reads nothing. `__getitems__` reads several examples at once, which is faster. Subclasses define
    `__len__` and `_read`.
    """

    def _read(self, indices: list[int]) -> list[Example]:
        """Reads the examples with some indices from 0 to `len(self) - 1`."""
        raise NotImplementedError

    def __getitem__(self, index: int | slice) -> "Example | Examples":
        if isinstance(index, slice):
            return _Part(self, range(len(self))[index])
        return self.__getitems__([index])[0]

    def __getitems__(self, indices: Iterable[int]) -> list[Example]:
        return self._read([self._position(index) for index in indices])

    def _position(self, index: int) -> int:
        try:
            return range(len(self))[operator.index(index)]
        except TypeError:
            raise TypeError(f"an index must be a whole number or a slice, got {index!r}") from None
        except IndexError:
            raise IndexError(f"there is no example {index}: there are {len(self)}") from None


class _Part(Examples):
    """Some of the examples of a sequence, in the order of their numbers in it."""

    def __init__(self, whole: Examples, numbers: range):
        self._whole, self._numbers = whole, numbers

    def __len__(self) -> int:
        return len(self._numbers)

    def _read(self, indices: list[int]) -> list[Example]:
        return self._whole.__getitems__([self._numbers[index] for index in indices])


class Split(Examples):
    """The examples of a split of a data set, of which there is at least one.

    Reading an example raises DataError if it cannot be read, is not finite or differs in shape from the first one.

    Args:
      name: Name of the split for error messages.
      source: Random-access examples, as `tfds.data_source` gives them.
    """

    def __init__(self, name: str, source: Sequence[Example]):
        self._name, self._source = name, source
        self._shapes = {}
        self._shapes = {feature: np.shape(value) for feature, value in self._read([0])[0].items()}

    def __len__(self) -> int:
        return len(self._source)

    def _read(self, indices: list[int]) -> list[Example]:
        try:
            examples = self._source.__getitems__(indices)
        except Exception as error:  # array_record, zlib and TFDS have no common class of errors for damaged bytes
            reason = first_line(error)[:_MAX_REASON_LENGTH]
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
        return f"the examples {', '.join(map(str, indices))} cannot be read together"

    def _check(self, index: int, example: Example) -> None:
        for feature, value in example.items():
            value, shape = np.asarray(value), self._shapes.get(feature)
            if shape is not None and value.shape != shape:
                raise DataError(
                    f"{self._name}: {feature} of example {index} has shape {value.shape}, that of the first {shape}"
                )
            if value.dtype.kind == "f" and not np.isfinite(value).all():
                raise DataError(f"{self._name}: {feature} of example {index} is not finite")


def open_dataset(path: pathlib.Path | str) -> tuple[dict[str, Split], dict[str, Any]]:
    """Opens a prepared data set.

    Args:
      path: Directory of one version of the data set, `.../<name>/<config>/<version>`.

    Returns:
      The splits by name, each a random-access sequence of examples, and the metadata.

    Raises:
      DataError: If the first example of a split cannot be used; later examples raise it when they are read.
    """
    metadata = tfds.core.MetadataDict()
    metadata.load_metadata(path)
    sources = tfds.builder_from_directory(str(path)).as_data_source()
    return {name: Split(f"{name} split of {path}", source) for name, source in sources.items()}, dict(metadata)


def stack(source: Sequence[Example], indices: Sequence[int], features: Sequence[str]) -> dict[str, np.ndarray]:
    """Reads examples and stacks their features.

    Args:
      source: Random-access examples.
      indices: Indices of the examples.
      features: Names of the features.

    Returns:
      Arrays `[len(indices), ...]` by feature.
    """
    examples = source.__getitems__([int(i) for i in indices])
    return {name: np.stack([example[name] for example in examples]) for name in features}


class Cached(Examples):
    """Examples that are kept in memory after the first read, up to a number of bytes.

    Args:
      source: Random-access examples.
      features: Names of the features to keep; examples hold only these.
      max_bytes: Largest total size of the examples kept.
    """

    def __init__(self, source: Sequence[Example], features: Sequence[str], max_bytes: float):
        self._source, self._features, self._free_bytes = source, tuple(features), max_bytes
        self._kept: dict[int, Example] = {}

    def __len__(self) -> int:
        return len(self._source)

    def _read(self, indices: list[int]) -> list[Example]:
        unread = [index for index in indices if index not in self._kept]
        read = dict(zip(unread, self._source.__getitems__(unread) if unread else (), strict=True))
        for index, example in read.items():
            read[index] = {name: np.asarray(example[name]) for name in self._features}
            size = sum(value.nbytes for value in read[index].values())
            if size <= self._free_bytes:
                self._kept[index] = read[index]
                self._free_bytes -= size
        return [read[index] if index in read else self._kept[index] for index in indices]


class Batches:
    """The training batches of a run, in the order of `BatchOrder`.

    Args:
      source: Random-access examples.
      batch_size: Number of examples per batch.
      seed: Seed of the order.
      features: Names of the features in a batch.
      part: Positions in each batch of the examples to read: those of this process if several train together.

    Raises:
      ValueError: If there are fewer examples than one batch needs.
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
        """Returns this part of the batch of a step (from 0), arrays `[examples, ...]` by feature."""
        return stack(self._source, self._order(step)[self._part], self._features)
