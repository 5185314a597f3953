"""Tests of the writer of shards, against TFDS's own."""

import pathlib
import tempfile

import numpy as np
from absl.testing import parameterized
from tensorflow_datasets.core import file_adapters, naming, writer
from tensorflow_datasets.core.utils import shard_utils

from data_builders.tfds_backend import shards


class _SerializedAlready:
    example_specs = None

    def serialize_example(self, example):
        return example


class ShardsTest(parameterized.TestCase):
    @parameterized.parameters(None, 1, 4)
    def test_writes_what_tfds_writes(self, num_shards):
        rng = np.random.default_rng(0)
        records = [rng.bytes(rng.integers(0, 200)) for _ in range(301)]
        written = []
        for ours in (True, False):
            directory = pathlib.Path(self.enter_context(tempfile.TemporaryDirectory()))
            arguments = {
                "filename_template": naming.ShardedFileTemplate(
                    dataset_name="x", data_dir=directory, split="train", filetype_suffix="array_record"
                ),
                "shard_config": shard_utils.ShardConfig(num_shards=num_shards),
                "example_writer": writer.ExampleWriter(file_adapters.FileFormat.ARRAY_RECORD),
            }
            if ours:
                with shards.Spool(directory / "spool") as spool:
                    spool.add(records[:100])
                    spool.add(records[100:])
                    info = shards.write_split(spool, "train", **arguments)
                lengths, size = info.shard_lengths, info.num_bytes
            else:
                rival = writer.Writer(_SerializedAlready(), hash_salt="train", disable_shuffling=False, **arguments)
                for index, record in enumerate(records):
                    rival.write(index, record)
                lengths, size = rival.finalize()
            written.append((lengths, size, {file.name: file.read_bytes() for file in directory.iterdir()}))
        self.assertLen(written[0][2], num_shards or 1)
        self.assertEqual(written[0], written[1])

    def test_spool_goes_with_the_block(self):
        path = pathlib.Path(self.enter_context(tempfile.TemporaryDirectory()), "spool")
        with self.assertRaises(RuntimeError), shards.Spool(path) as spool:
            spool.add([b"abc", b"", b"de"])
            self.assertEqual((len(spool), spool.num_bytes), (3, 5))
            self.assertEqual(list(spool.read([2, 0, 1, 0])), [b"de", b"abc", b"", b"abc"])
            self.assertTrue(path.exists())
            raise RuntimeError
        self.assertFalse(path.exists())
