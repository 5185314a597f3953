"""Writes the records of a split in the order and the shards of TFDS's own writer, without holding them in memory.

TFDS keeps up to 1000 MiB of a split in memory, and needs TensorFlow for more. Here a temporary file holds the records.
"""

import pathlib
from collections.abc import Iterable, Iterator
from typing import Any

from tensorflow_datasets.core import example_serializer, hashing, naming, splits, writer
from tensorflow_datasets.core.features import features_dict
from tensorflow_datasets.core.utils import shard_utils


class Spool:
    """Records in a temporary file, to be read in another order than they were written.

    Args:
      path: Path of the file, which exists only inside the `with` block.
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
        """Total size of the records."""
        return self._ends[-1]

    def add(self, records: Iterable[bytes]) -> None:
        """Appends records."""
        for record in records:
            self._file.write(record)
            self._ends.append(self._ends[-1] + len(record))

    def read(self, numbers: Iterable[int]) -> Iterator[bytes]:
        """Yields the records with these numbers."""
        self._file.flush()
        for number in numbers:
            self._file.seek(self._ends[number])
            yield self._file.read(self._ends[number + 1] - self._ends[number])


def serialise(features: features_dict.FeaturesDict, examples: Iterable[Any]) -> Iterator[bytes]:
    """Yields the record of each example; the bytes are the same in every process."""
    serializer = example_serializer.ExampleSerializer(features.get_serialized_info())
    for example in examples:
        proto = serializer.get_tf_example(features.encode_example(example))
        yield proto.SerializeToString(deterministic=True)  # the order of features is random otherwise


def write_split(
    spool: Spool,
    name: str,
    filename_template: naming.ShardedFileTemplate,
    shard_config: shard_utils.ShardConfig,
    example_writer: writer.ExampleWriter,
) -> splits.SplitInfo:
    """Writes the shards of a split, in the order in which TFDS shuffles the keys 0, 1, ...

    Args:
      spool: Records of the split, by index.
      name: Name of the split, the salt of TFDS's order.
      filename_template: Template of the shards' paths.
      shard_config: Rule for the number of shards.
      example_writer: Writer of a shard.

    Returns:
      TFDS's description of the split.
    """
    hasher = hashing.Hasher(name)
    keys = [hasher.hash_key(index) for index in range(len(spool))]
    order = sorted(range(len(spool)), key=keys.__getitem__)
    num_shards = shard_config.get_number_shards(spool.num_bytes, len(spool))
    begin, shard_lengths = 0, []
    for shard, end in enumerate(shard_utils.get_shard_boundaries(len(spool), num_shards)):
        path = filename_template.sharded_filepath(shard_index=shard, num_shards=num_shards)
        part = order[begin:end]
        example_writer.write(path, zip((keys[index] for index in part), spool.read(part), strict=True))
        shard_lengths.append(end - begin)
        begin = end
    return splits.SplitInfo(
        name=name, shard_lengths=shard_lengths, num_bytes=spool.num_bytes, filename_template=filename_template
    )
