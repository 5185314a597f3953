"""Tests with the stock `tfds build`, which needs `pip install -e ".[tfds]"`."""

import pathlib
import subprocess
import sys
import tempfile

import pytest
from absl.testing import absltest

from tests.root import ROOT

for _module in ("tensorflow", "apache_beam", "mlcroissant"):
    pytest.importorskip(_module)


READ = """
import sys
import tensorflow_datasets as tfds
from data_builders import datasets

datasets.get_builder("three_body")  # registers it
builder = tfds.builder("three_body/small", data_dir=sys.argv[1])
assert "Three gravitating bodies" in builder.info.description and "Hamiltonian" in builder.info.citation
source = builder.as_data_source(split="train")
assert len(source) == 7 and len(builder.as_data_source(split="test[:3]")) == 3
parts = tfds.even_splits("train", 3)
assert [len(builder.as_data_source(split=part)) for part in parts] == [3, 2, 2]
for part, dataset in zip(parts, tfds.load("three_body/small", data_dir=sys.argv[1], split=parts)):
    for example, expected in zip(dataset.as_numpy_iterator(), builder.as_data_source(split=part), strict=True):
        assert example["index"] == expected["index"] and (example["image"] == expected["image"]).all()
        assert (example["q"] == expected["q"]).all() and example["constants"] == expected["constants"]
batch = next(iter(tfds.load("three_body/small", data_dir=sys.argv[1], split="train", batch_size=4, shuffle_files=True)))
assert batch["image"].shape == (4, 31, 32, 32, 3) and batch["image"].dtype == "uint8"
"""


class TfdsBuildTest(absltest.TestCase):
    @pytest.mark.slow
    def test_either_command_writes_the_same_and_tfds_reads_it(self):
        tfds = pathlib.Path(sys.executable).with_name("tfds")
        commands = (
            (tfds, "build", "data_builders/three_body"),
            (sys.executable, "-m", "data_builders.build", "three_body"),
        )
        written = []
        for command in commands:
            data_dir = self.enter_context(tempfile.TemporaryDirectory())
            flags = ("--config=small", f"--data_dir={data_dir}", "--max_examples_per_split=7")
            self.run_well(*command, *flags)
            self.run_well(sys.executable, "-c", READ, data_dir)
            path = pathlib.Path(data_dir, "three_body", "small", "1.0.0")
            written.append({file.name: file.read_bytes() for file in path.glob("*array_record*")})
        self.assertLen(written[0], 2)
        self.assertEqual(written[0], written[1])

    def run_well(self, *command):
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stderr[-3000:])
