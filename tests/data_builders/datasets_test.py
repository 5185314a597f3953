"""Tests of building a data set if it is missing, and of checking it if it exists."""

import contextlib
import io
import json
import os
import pathlib
import shutil
import tempfile

import filelock
import tensorflow_datasets as tfds
from absl.testing import absltest, parameterized

from data_builders import datasets, locks
from data_builders.errors import DatasetError
from data_builders.simulation import ground_truth as simulation
from hgn_jax.physics.systems import SYSTEMS
from tests.data_builders import tiny


def patched_simulation(function):
    return absltest.mock.patch.object(simulation, "simulate_chunk", function)


def fail(*_):
    raise AssertionError("simulates")


class EnsureBuiltTest(parameterized.TestCase):
    def setUp(self):
        super().setUp()
        self.data_dir = self.enter_context(tempfile.TemporaryDirectory())

    def test_builds_once_and_says_where(self):
        config = tiny.config("mass_spring")
        with contextlib.redirect_stdout(io.StringIO()) as printed:
            path = datasets.ensure_built("mass_spring", config, self.data_dir)
        self.assertEqual(path, datasets.dataset_path("mass_spring", config, self.data_dir))
        self.assertRegex(
            printed.getvalue(), r"Simulating mass_spring: 12 \+ 5 trajectories of 5 frames, about \d+ MB, into /.*"
        )
        self.assertLen(tfds.builder_from_directory(path).as_data_source(split="train"), 12)
        with patched_simulation(fail):
            self.assertEqual(datasets.ensure_built("mass_spring", config, self.data_dir), path)

    @parameterized.parameters(*SYSTEMS)
    def test_size_estimate_is_close(self, name):
        config = tiny.config(name, num_steps=30, num_train=100, num_test=1)  # smaller files are mostly padding
        path = datasets.ensure_built(name, config, self.data_dir, num_workers=1)
        size = sum(file.stat().st_size for file in path.iterdir())
        self.assertBetween(config.estimated_bytes() / size, 0.5, 2.0)

    def test_unknown_names_are_answered_by_the_known_ones(self):
        with self.assertRaisesRegex(DatasetError, "^unknown data set 'four_body'; choose one of double_pendu"):
            datasets.ensure_built("four_body", "small", self.data_dir)
        with self.assertRaisesRegex(DatasetError, "^unknown configuration 'tiny' of pendulum; choose one of "):
            datasets.ensure_built("pendulum", "tiny", self.data_dir)

    def test_unwritable_data_dir_is_found_before_simulating(self):
        file = pathlib.Path(self.data_dir, "file")
        file.touch()
        with patched_simulation(fail):
            with self.assertRaisesRegex(DatasetError, "^cannot write to .*file/mass_spring/small: Not a dir"):
                datasets.ensure_built("mass_spring", "small", file)

    def test_full_disk_is_found_before_simulating(self):
        usage = absltest.mock.Mock(free=10**6)
        self.enter_context(absltest.mock.patch.object(shutil, "disk_usage", return_value=usage))
        with patched_simulation(fail), self.assertRaisesRegex(DatasetError, "has 1 MB free and .* MB are needed"):
            datasets.ensure_built("mass_spring", "small", self.data_dir)

    def test_failed_build_leaves_nothing_behind(self):
        simulate_chunk, config = simulation.simulate_chunk, tiny.config("mass_spring")

        def failing(setting, split, chunk):
            if split == "test":
                raise simulation.SimulationError("stopped")
            return simulate_chunk(setting, split, chunk)

        with patched_simulation(failing), self.assertRaisesRegex(simulation.SimulationError, "stopped"):
            datasets.ensure_built("mass_spring", config, self.data_dir)
        path = datasets.dataset_path("mass_spring", config, self.data_dir)
        self.assertEqual(list(path.parent.iterdir()), [])
        (path.parent / "incomplete.ABCDEF_1.0.0").mkdir()  # as a killed process leaves
        self.assertEqual(datasets.ensure_built("mass_spring", config, self.data_dir), path)
        self.assertEqual(list(path.parent.iterdir()), [path])

    def test_waits_for_another_process_that_builds_the_same(self):
        config, built = tiny.config("mass_spring"), tiny.built("mass_spring")
        path = datasets.dataset_path("mass_spring", config, self.data_dir)
        path.parent.mkdir(parents=True)
        other = filelock.FileLock(path.with_name(f".{path.name}.lock"))
        other.acquire()

        def end(line, **_):
            self.assertEqual(line, f"another process is building {path}; waiting for it")
            tiny.copy(built, self.data_dir)
            other.release()

        with patched_simulation(fail), absltest.mock.patch.object(locks, "print", end, create=True):
            self.assertEqual(datasets.ensure_built("mass_spring", config, self.data_dir), path)
        self.assertEqual(list(path.parent.iterdir()), [path])


class CheckDatasetTest(parameterized.TestCase):
    def setUp(self):
        super().setUp()
        self.data_dir = os.path.join(self.enter_context(tempfile.TemporaryDirectory()), "data")
        self.config = tiny.config("mass_spring")
        self.path = tiny.copy(tiny.built("mass_spring"), self.data_dir)

    def shard(self, split="train"):
        return next(self.path.glob(f"*{split}*array_record*"))

    def assert_refused(self, message):
        with self.assertRaisesRegex(DatasetError, message) as caught:
            datasets.ensure_built("mass_spring", self.config, self.data_dir)
        self.assertNotIn("\n", str(caught.exception))
        self.assertIn(f"to repair: rm -r {self.path}", str(caught.exception))

    def test_complete_data_set_passes(self):
        datasets.ensure_built("mass_spring", self.config, self.data_dir)

    def test_truncated_shard(self):
        size = self.shard().stat().st_size
        for kept in (size - 1, size - 70_000, size // 2, 65_536, 10, 0):
            os.truncate(self.shard(), kept)
            self.assert_refused(r"mass_spring-train\.array_record-00000-of-00001 is truncated or damaged")

    def test_flipped_bit_in_a_record(self):
        content = bytearray(self.shard().read_bytes())
        content[1000] ^= 0x10  # in a record; the index at the end does not show it
        self.shard().write_bytes(content)
        self.assert_refused(r"mass_spring-train\.array_record-00000-of-00001 is truncated or damaged")

    def test_missing_shard(self):
        self.shard().unlink()
        self.assert_refused(r"mass_spring-train\.array_record-00000-of-00001 is missing")

    def test_shard_of_another_data_set(self):
        shutil.copy(self.shard("test"), self.shard("train"))
        self.assert_refused("holds 5 of 12 trajectories")

    def test_capped_data_set(self):
        shutil.rmtree(self.path)
        builder = datasets.get_builder("mass_spring")(config=self.config, data_dir=self.data_dir)
        builder.download_and_prepare(download_config=tfds.download.DownloadConfig(max_examples_per_split=3))
        self.assertEqual(datasets.read_metadata(self.path)["splits"]["train"]["num_trajectories"], 3)
        self.assert_refused("is incomplete: 3 of 12 train trajectories")
        again = datasets.get_builder("mass_spring")(config=self.config, data_dir=self.data_dir)
        with self.assertRaisesRegex(DatasetError, "is incomplete: 3 of 12 train trajectories; to repair: rm -r "):
            again.download_and_prepare()  # TFDS itself would take it for the whole

    def test_missing_or_damaged_description(self):
        for name in ("metadata.json", "dataset_info.json"):
            (self.path / name).write_text("{")
            self.assert_refused("its description cannot be read")
            (self.path / name).unlink()
            self.assert_refused("its description cannot be read")

    def test_data_set_of_another_configuration(self):
        metadata = self.path / "metadata.json"
        metadata.write_text(metadata.read_text().replace('"seed": 0', '"seed": 3'))
        self.assert_refused("was built with seed = 3, not 0")

    def test_older_data_set_without_a_new_field(self):
        file = self.path / "metadata.json"
        metadata = json.loads(file.read_text())
        for field in ("damping", "constant_ranges", "num_test_steps"):
            del metadata[field]
        file.write_text(json.dumps(metadata))
        datasets.ensure_built("mass_spring", self.config, self.data_dir)
        damped = tiny.config("mass_spring", damping=0.1)
        shutil.copytree(self.path, datasets.dataset_path("mass_spring", damped, self.data_dir))
        with self.assertRaisesRegex(DatasetError, "was built with damping = 0.0, not 0.1"):
            datasets.ensure_built("mass_spring", damped, self.data_dir)
