"""Tests of building by Apache Beam, with its local runners."""

import hashlib
import pathlib
import subprocess
import sys
import tempfile

import chex
import pytest
import tensorflow_datasets as tfds
from absl.testing import parameterized

pytest.importorskip("apache_beam")

from data_builders import datasets  # noqa: E402
from tests.root import ROOT

SIZE = {"num_train": 50, "num_test": 30, "num_steps": 2}  # three chunks and two of 20 trajectories; see conftest.py


def digests(path):
    return {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in path.iterdir()}


class BeamPipelineTest(chex.TestCase):
    def setUp(self):
        super().setUp()
        self.data_dir = self.enter_context(tempfile.TemporaryDirectory())

    @parameterized.parameters("BundleBasedDirectRunner", "FnApiRunner")
    @pytest.mark.slow
    def test_makes_the_same_bytes(self, runner):
        config = datasets.derive_config("two_body", "small", **SIZE)
        expected = datasets.ensure_built("two_body", config, self.data_dir + "/here")
        builder = datasets.get_builder("two_body")(config=config, data_dir=self.data_dir)
        builder.download_and_prepare(download_config=tfds.download.DownloadConfig(beam_runner=runner))
        path = datasets.dataset_path("two_body", config, self.data_dir)
        datasets.check_dataset(path, "two_body", config)
        self.assertEqual(digests(path), digests(expected))

    @pytest.mark.slow
    def test_makes_the_same_records_in_more_shards(self):
        config = datasets.derive_config("two_body", "small", **SIZE)
        indices = []
        for runner in (None, "FnApiRunner"):
            builder = datasets.get_builder("two_body")(config=config, data_dir=f"{self.data_dir}/{runner}")
            builder.download_and_prepare(download_config=tfds.download.DownloadConfig(beam_runner=runner, num_shards=3))
            datasets.check_dataset(builder.data_path, "two_body", config)
            self.assertLen(builder.info.splits["train"].shard_lengths, 3)
            indices.append([example["index"] for example in builder.as_data_source(split="train")])
        self.assertEqual(*indices)

    @pytest.mark.slow
    def test_the_command_takes_a_runner(self):
        flags = ("--beam_runner=FnApiRunner", f"--data_dir={self.data_dir}", "--max_examples_per_split=3")
        command = ("-m", "data_builders.build", "pendulum", "--config=small", "--config.num_steps=2", *flags)
        done = subprocess.run([sys.executable, *command], cwd=ROOT, capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stderr)
        [path] = pathlib.Path(self.data_dir).glob("pendulum/*/1.0.0")
        self.assertEqual(path.parent.name, "small-num_steps_2")
        self.assertLen(tfds.builder_from_directory(path).as_data_source(split="train"), 3)
