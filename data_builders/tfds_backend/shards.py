"""Writes the records of a split as TFDS's own writer does, in its order and shards, without holding them in memory.

TFDS keeps a split in memory up to 1000 MiB, and needs TensorFlow beyond. Here records wait on disk for their place.
"""

import pathlib
from collections.abc import Iterable, Iterator
from typing import Any

from tensorflow_datasets.core import example_serializer, hashing, naming, splits, writer
from tensorflow_datasets.core.features import features_dict
from tensorflow_datasets.core.utils import shard_utils


class Spool:
    """Records in a temporary file, to be read in another order than they came in.

    Args:
      path: the file, which is there only inside the `with` block.
    """

    def __init__(self, path: pathlib.Path):
        self._path = path
        self._ends = [0]

    def __enter__(self) -> "Spool":
        self._file = self._path.open("wb+")
        return self

    def __exit__(self, *_) -> None:
        self._file.close()
        self._path.unlink()

    def __len__(self) -> int:
        return len(self._ends) - 1

    @property
    def num_bytes(self) -> int:
        """Size of all records."""
        return self._ends[-1]

    def add(self, records: Iterable[bytes]) -> None:
        """Appends records."""
        for record in records:
            self._file.write(record)
            self._ends.append(self._ends[-1] + len(record))

    def read(self, numbers: Iterable[int]) -> Iterator[bytes]:
        """Yields the records of these numbers."""
        self._file.flush()
        for number in numbers:
            self._file.seek(self._ends[number])
            yield self._file.read(self._ends[number + 1] - self._ends[number])


def serialise(features: features_dict.FeaturesDict, examples: Iterable[Any]) -> Iterator[bytes]:
    """Yields the record of each example, the same bytes whenever it is done."""
    serializer = example_serializer.ExampleSerializer(features.get_serialized_info())
    for example in examples:
        proto = serializer.get_tf_example(features.encode_example(example))
        yield proto.SerializeToString(deterministic=True)  # or the order of the features is that of chance


def write_split(
    spool: Spool,
    name: str,
    filename_template: naming.ShardedFileTemplate,
    shard_config: shard_utils.ShardConfig,
    example_writer: writer.ExampleWriter,
) -> splits.SplitInfo:
    """Writes the shards of a split in the order TFDS shuffles keys 0, 1, ... into.

    Args:
      spool: the records, by index.
      name: of the split, which TFDS salts the order with.
      filename_template: of the shards.
      shard_config: how many shards.
      example_writer: writes a shard.

    Returns:
      What TFDS wants to know about the split.
    """
    hasher = hashing.Hasher(name)
    keys = [hasher.hash_key(index) for index in range(len(spool))]
    order = sorted(range(len(spool)), key=keys.__getitem__)
    num_shards = shard_config.get_number_shards(spool.num_bytes, len(spool))
    begin, lengths = 0, []
    for shard, end in enumerate(shard_utils.get_shard_boundaries(len(spool), num_shards)):
        path = filename_template.sharded_filepath(shard_index=shard, num_shards=num_shards)
        part = order[begin:end]
        example_writer.write(path, zip((keys[index] for index in part), spool.read(part), strict=True))
        lengths.append(end - begin)
        begin = end
    return splits.SplitInfo(
        name=name, shard_lengths=lengths, num_bytes=spool.num_bytes, filename_template=filename_template
    )
