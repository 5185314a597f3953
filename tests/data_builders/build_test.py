"""Tests of building, checking and the command line."""

import contextlib
import io
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

import chex
import tensorflow_datasets as tfds
from absl.testing import absltest, parameterized
from tensorflow_datasets.scripts.cli import build as tfds_build

from data_builders import build
from data_builders.simulation import ground_truth as simulation
from hgn_jax.physics.systems import SYSTEMS
from tests.root import ROOT

TINY = {"num_train": 30, "num_test": 10, "num_steps": 4}


def tiny(name="mass_spring", **overrides):
    return build.derive_config(name, "small", **{**TINY, **overrides})


def command(*arguments):
    return subprocess.run(
        [sys.executable, "-m", "data_builders.build", *arguments], cwd=ROOT, capture_output=True, text=True
    )


class EnsureBuiltTest(chex.TestCase):
    def setUp(self):
        super().setUp()
        self.data_dir = self.enter_context(tempfile.TemporaryDirectory())

    def test_builds_once_and_says_where(self):
        with contextlib.redirect_stdout(io.StringIO()) as printed:
            path = build.ensure_built("mass_spring", tiny(), self.data_dir)
        self.assertEqual(path, build.dataset_path("mass_spring", tiny(), self.data_dir))
        self.assertRegex(
            printed.getvalue(), r"Simulating mass_spring: 30 \+ 10 trajectories of 5 frames, about \d+ MB, into /.*"
        )
        self.assertLen(tfds.builder_from_directory(path).as_data_source(split="train"), 30)
        with absltest.mock.patch.object(simulation, "simulate_chunk", side_effect=AssertionError):
            self.assertEqual(build.ensure_built("mass_spring", tiny(), self.data_dir), path)

    def test_size_estimate_is_near(self):
        for name in SYSTEMS:
            config = tiny(name, num_steps=30, num_train=100)  # files of less are mostly padding
            path = build.ensure_built(name, config, self.data_dir)
            size = sum(file.stat().st_size for file in path.iterdir())
            self.assertBetween(config.estimated_bytes() / size, 0.5, 2.0)

    def test_unknown_names_list_those_there_are(self):
        with self.assertRaisesRegex(build.DatasetError, "^unknown data set 'four_body'; choose one of double_pendu"):
            build.ensure_built("four_body", "small", self.data_dir)
        with self.assertRaisesRegex(build.DatasetError, "^unknown configuration 'tiny' of pendulum; choose one of "):
            build.ensure_built("pendulum", "tiny", self.data_dir)

    def test_unwritable_data_dir_is_found_before_simulating(self):
        not_a_directory = os.path.join(self.data_dir, "file")
        pathlib.Path(not_a_directory).touch()
        with absltest.mock.patch.object(simulation, "simulate_chunk", side_effect=AssertionError):
            with self.assertRaisesRegex(build.DatasetError, "^cannot write to .*file/mass_spring/small: Not a dir"):
                build.ensure_built("mass_spring", "small", not_a_directory)

    def test_full_disk_is_found_before_simulating(self):
        usage = absltest.mock.Mock(free=10**6)
        self.enter_context(absltest.mock.patch.object(shutil, "disk_usage", return_value=usage))
        with self.assertRaisesRegex(build.DatasetError, "has 1 MB free and .* MB are needed"):
            build.ensure_built("mass_spring", "small", self.data_dir)

    def test_failed_build_leaves_nothing_to_be_taken_for_complete(self):
        simulate_chunk = simulation.simulate_chunk

        def failing(setting, split, chunk):
            if split == "test":
                raise simulation.SimulationError("stopped")
            return simulate_chunk(setting, split, chunk)

        with absltest.mock.patch.object(simulation, "simulate_chunk", failing):
            with self.assertRaisesRegex(simulation.SimulationError, "stopped"):
                build.ensure_built("mass_spring", tiny(), self.data_dir)
        path = build.dataset_path("mass_spring", tiny(), self.data_dir)
        self.assertEqual(list(path.parent.iterdir()), [])
        (path.parent / "incomplete.ABCDEF_1.0.0").mkdir()  # what a killed process leaves
        self.assertEqual(build.ensure_built("mass_spring", tiny(), self.data_dir), path)


class CheckDatasetTest(chex.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.config = tiny()
        cls.original = cls.enterClassContext(tempfile.TemporaryDirectory())
        build.ensure_built("mass_spring", cls.config, cls.original)

    def setUp(self):
        super().setUp()
        self.data_dir = os.path.join(self.enter_context(tempfile.TemporaryDirectory()), "data")
        shutil.copytree(self.original, self.data_dir)
        self.path = build.dataset_path("mass_spring", self.config, self.data_dir)

    def shard(self):
        return next(self.path.glob("*train*array_record*"))

    def assert_refused(self, message):
        with self.assertRaisesRegex(build.DatasetError, message) as caught:
            build.ensure_built("mass_spring", self.config, self.data_dir)
        self.assertNotIn("\n", str(caught.exception))
        self.assertIn(f"to repair: rm -r {self.path}", str(caught.exception))

    def test_whole_data_set_passes(self):
        build.ensure_built("mass_spring", self.config, self.data_dir)

    def test_truncated_shard(self):
        size = self.shard().stat().st_size
        for kept in (size - 1, size - 70_000, size // 2, 65_536, 10, 0):
            os.truncate(self.shard(), kept)
            self.assert_refused(r"mass_spring-train\.array_record-00000-of-00001 is truncated or damaged")

    def test_a_flipped_byte_in_a_record(self):
        content = bytearray(self.shard().read_bytes())
        content[1000] ^= 0x10  # in the middle of a record, which the index at the end tells nothing of
        self.shard().write_bytes(content)
        self.assert_refused(r"mass_spring-train\.array_record-00000-of-00001 is truncated or damaged")

    def test_missing_shard(self):
        self.shard().unlink()
        self.assert_refused(r"mass_spring-train\.array_record-00000-of-00001 is missing")

    def test_shard_of_another_data_set(self):
        shutil.copy(next(self.path.glob("*test*array_record*")), self.shard())
        self.assert_refused("holds 10 of 30 trajectories")

    def test_capped_data_set(self):
        shutil.rmtree(self.path)
        builder = build.get_builder("mass_spring")(config=self.config, data_dir=self.data_dir)
        builder.download_and_prepare(download_config=tfds.download.DownloadConfig(max_examples_per_split=5))
        self.assert_refused("is incomplete: 5 of 30 train trajectories")

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

    def test_data_set_from_before_there_was_a_field(self):
        file = self.path / "metadata.json"
        metadata = json.loads(file.read_text())
        for field in ("damping", "constant_ranges", "num_test_steps"):
            del metadata[field]
        file.write_text(json.dumps(metadata))
        build.ensure_built("mass_spring", self.config, self.data_dir)
        damped = tiny(damping=0.1)
        shutil.copytree(self.path, build.dataset_path("mass_spring", damped, self.data_dir))
        with self.assertRaisesRegex(build.DatasetError, "was built with damping = 0.0, not 0.1"):
            build.ensure_built("mass_spring", damped, self.data_dir)


class OverridesTest(chex.TestCase):
    def test_are_taken_from_among_the_flags(self):
        others, overrides = build._take_overrides(
            [
                "build.py",
                "three_body",
                "--config=small",
                "--config.dt=0.05",
                "-config.radius_range=0.5,1",
                "--config.constants.g=2",
                '--config.constants={"m": 3}',
                "--data_dir=x",
                "--config.system=two_body",
            ]  # fmt: skip
        )
        self.assertEqual(others, ["build.py", "three_body", "--config=small", "--data_dir=x"])
        expected = {"dt": 0.05, "radius_range": [0.5, 1], "constants": {"m": 3}, "system": "two_body"}
        self.assertEqual(overrides, expected)
        _, overrides = build._take_overrides(["--config.constant_ranges.m=1,2", "--config.constant_ranges.g=3,4"])
        self.assertEqual(overrides, {"constant_ranges": {"m": [1, 2], "g": [3, 4]}})

    def test_change_the_configuration(self):
        def requested(config, **overrides):
            options = build.cli_utils.GenerationOptions(config=config)
            [found] = build._requested_configs(build.get_builder("two_body"), None, options, overrides)
            return found

        found = requested("small", dt=0.05, constants={"g": 2})
        self.assertEqual((found.num_train, found.dt, found.constants), (4_000, 0.05, {"m": 1.0, "g": 2.0}))
        self.assertEqual(requested("small", dt=0.05).name, "small_dt_0.05")
        self.assertEqual(requested(None, num_train=7).num_test, 10_000)
        self.assertEqual(requested("randomised", constant_ranges={"g": [1, 1]}).constant_ranges["m"], (0.5, 1.5))
        for overrides, message in (
            ({"colour": 1}, "unknown field colour; choose from system, constants"),
            ({"constants": {"k": 1}}, "two_body has no constant k; it has m, g"),
            ({"constants": 3}, "constants: cannot use 3"),
            ({"dt": "fast"}, "dt: cannot use 'fast'"),
        ):
            with self.assertRaisesRegex(build.DatasetError, message):
                requested("small", **overrides)

    def test_may_come_to_a_configuration_that_has_a_name(self):
        small = build.get_builder("two_body").named_config("small")
        found = build.derive_config("two_body", "paper", num_train=4_000, num_test=1_000)
        self.assertEqual(build._as_flag("two_body", found), "small")
        with absltest.mock.patch.object(build, "_execute") as execute:
            options = build.cli_utils.GenerationOptions(config="paper")
            debug = build.cli_utils.DebugOptions(max_examples_per_split=1)
            args = tfds_build.Args(positional_datasets=["two_body"], generation=options, debug=debug)
            build._run(args, {"num_train": small.num_train, "num_test": small.num_test})
        self.assertEqual(
            execute.call_args.args[1:], (["two_body"], ["two_body"], {"config": "small", "config_idx": None})
        )

    def test_build_what_they_say(self):
        data_dir = self.enter_context(tempfile.TemporaryDirectory())
        flags = (
            "--config.num_train=5",
            "--config.num_test=3",
            "--config.num_steps=2",
            "--config.constant_ranges.m=1,2",
        )
        done = command("mass_spring", "--config=small", *flags, f"--data_dir={data_dir}", "--num_workers=1")
        self.assertEqual(done.returncode, 0, done.stderr)
        [path] = pathlib.Path(data_dir).glob("mass_spring/small-*/1.0.0")
        examples = tfds.builder_from_directory(path).as_data_source(split="train")
        self.assertLen({float(example["constants"]["m"]) for example in examples}, 5)
        again = command("mass_spring", "--config=small", *flags, f"--data_dir={data_dir}")
        self.assertEqual(again.returncode, 0, again.stderr)

    def test_mistakes_are_one_line(self):
        for flags, message in (
            (["--config.dt=-1"], "dt must be positive, got -1.0"),
            (["--config.dt"], "--config.dt: give the value after an equals sign, --config.dt=VALUE"),
            (["--num_workers=0"], "the number of workers must be 1 or more, got 0"),
        ):
            done = command("pendulum", "--config=small", *flags)
            self.assertEqual((done.returncode, done.stderr), (1, f"error: {message}\n"))


class CommandLineTest(chex.TestCase):
    def test_builds_a_capped_data_set(self):
        data_dir = self.enter_context(tempfile.TemporaryDirectory())
        arguments = ("--config=small", f"--data_dir={data_dir}")
        done = command("data_builders/three_body", *arguments, "--max_examples_per_split=3")
        self.assertEqual(done.returncode, 0, done.stderr)
        path = os.path.join(data_dir, "three_body", "small", "1.0.0")
        self.assertLen(tfds.builder_from_directory(path).as_data_source(split="test"), 3)
        # TFDS would silently reuse it as the whole.
        again = command("three_body", *arguments)
        self.assertEqual(again.returncode, 1)
        self.assertIn(
            f"error: data set {path}: is incomplete: 3 of 4000 train trajectories; to repair: rm -r {path}, then run"
            " the same again\n",
            again.stderr,
        )

    def test_unknown_name_is_one_line(self):
        done = command("four_body", "--config=small")
        self.assertEqual(done.returncode, 1)
        self.assertEqual(done.stderr, f"error: unknown data set 'four_body'; choose one of {', '.join(build.NAMES)}\n")

    @parameterized.parameters(
        ("three_body", ("three_body", None)),
        ("data_builders/three_body/", ("three_body", None)),
        ("three_body/small", ("three_body", "small")),
        ("three_body/small:1.0.0", ("three_body", "small")),
        ("/a/b/pendulum", ("pendulum", None)),
    )
    def test_names_and_paths(self, argument, expected):
        self.assertEqual(build._split_name(argument), expected)

    def test_wrong_requests_are_errors_before_building(self):
        def run(*names, **generation):
            options = build.cli_utils.GenerationOptions(**generation)
            build._run(tfds_build.Args(positional_datasets=list(names), generation=options))

        for names, generation, message in (
            ([], {}, "name a data set: double_pendulum"),
            (["pendulum"], {"config": "huge"}, "unknown configuration 'huge' of pendulum"),
            (["pendulum/huge"], {}, "unknown configuration 'huge' of pendulum"),
            (["pendulum"], {"config": '{"name": "x", "number": 1}'}, "unexpected keyword argument 'number'"),
            (["pendulum"], {"config": "{"}, "--config={: "),
            (["pendulum"], {"config": '{"name": "small"}'}, "there is a configuration small already"),
        ):
            with self.assertRaisesRegex(build.DatasetError, message):
                run(*names, **generation)

    @parameterized.parameters(*SYSTEMS)
    def test_tfds_finds_the_builder_by_its_path(self, name):
        path = ROOT / "data_builders" / name
        builder, _ = tfds_build._get_builder_cls_and_kwargs(str(path), has_imports=False)
        self.assertEqual(builder.name, name)
        self.assertIn("small", builder.builder_configs)


if __name__ == "__main__":
    absltest.main()
