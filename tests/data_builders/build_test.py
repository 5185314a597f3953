"""Tests of the command `python -m data_builders.build`."""

import contextlib
import io
import json
import pathlib
import subprocess
import sys
import tempfile

import tensorflow_datasets as tfds
from absl.testing import absltest, parameterized
from tensorflow_datasets.scripts.cli import build as tfds_build

from data_builders import build, datasets
from data_builders.simulation import ground_truth as simulation
from data_builders.tfds_backend import build_command
from hgn_jax.physics.systems import SYSTEMS
from tests.root import ROOT


def run(*arguments):
    """Runs the command in this process; returns its exit status or message, and what it prints."""
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        try:
            build.main(build.parse_flags(["build", *arguments]))
        except SystemExit as end:
            return end.code, printed.getvalue()
    return 0, printed.getvalue()


class RequestsTest(parameterized.TestCase):
    def request(self, *arguments):
        args, overrides = build.parse_flags(["build", *arguments])
        return build.requests(args, overrides)

    @parameterized.parameters(
        ("three_body", ("three_body", None)),
        ("data_builders/three_body/", ("three_body", None)),
        ("three_body/small", ("three_body", "small")),
        ("three_body/small:1.0.0", ("three_body", "small")),
        ("/a/b/pendulum", ("pendulum", None)),
    )
    def test_names_and_paths(self, argument, expected):
        self.assertEqual(build.split_name(argument), expected)

    def test_configurations(self):
        configs = datasets.get_builder("pendulum").BUILDER_CONFIGS
        self.assertEqual([request.config for request in self.request("pendulum")], configs)
        self.assertEqual([request.config for request in self.request("pendulum", "--config_idx=1")], [configs[1]])
        flag = json.dumps({"name": "mine", "num_train": 3})
        [request] = self.request("two_body", f"--config={flag}")
        self.assertEqual((request.config.name, request.config.num_train), ("mine", 3))
        self.assertEqual(json.loads(request.config_flag)["num_train"], 3)

    def test_overrides_change_the_configuration(self):
        [(_, config)] = self.request("two_body", "--config=small", "--config.dt=0.05", "--config.constants.g=2")
        self.assertEqual((config.num_train, config.dt, config.constants), (4_000, 0.05, {"m": 1.0, "g": 2.0}))
        [(_, config)] = self.request("two_body", "--config.num_train=7")
        self.assertEqual(config.num_test, 10_000)  # of the first configuration, the paper's
        [(_, config)] = self.request("two_body", "--config=randomised", "--config.constant_ranges.g=1,1")
        self.assertEqual(config.constant_ranges["m"], (0.5, 1.5))

    def test_overrides_that_amount_to_a_named_configuration(self):
        [request] = self.request("two_body", "--config=paper", "--config.num_train=4000", "--config.num_test=1000")
        self.assertEqual(request.config_flag, "small")
        [request] = self.request("two_body", "--config=small", "--config.dt=0.05")
        self.assertEqual(request.config.name, "small_dt_0.05")

    @parameterized.parameters(
        ([], "name a data set: double_pendulum"),
        (["four_body"], "unknown data set 'four_body'; choose one of double_pendulum"),
        (["pendulum", "--config=huge"], "unknown configuration 'huge' of pendulum"),
        (["pendulum/huge"], "unknown configuration 'huge' of pendulum"),
        (["pendulum", "--config_idx=99"], "--config_idx must lie in 0 to 15, got 99"),
        (["pendulum", '--config={"name": "x", "number": 1}'], "unexpected keyword argument 'number'"),
        (["pendulum", "--config={"], "--config={: "),
        (["pendulum", '--config={"name": "small"}'], "there is a configuration small already"),
        (["two_body", "--config.colour=1"], "unknown field colour; choose from system, constants"),
        (["two_body", "--config.constants.k=1"], "two_body has no constant k; it has m, g"),
        (["two_body", "--config.constants=3"], "constants: cannot use 3"),
        (["two_body", "--config.dt=fast"], "dt: cannot use 'fast'"),
        (["two_body", "--config.dt"], "--config.dt: give the value after an equals sign"),
        (["two_body", "--config=small", "--num_workers=0"], "the number of workers must be 1 or more, got 0"),
    )
    def test_mistakes_are_one_line_before_anything_is_built(self, arguments, message):
        with absltest.mock.patch.object(build_command, "execute", side_effect=AssertionError):
            with tempfile.TemporaryDirectory() as data_dir:
                code, _ = run(*arguments, f"--data_dir={data_dir}")
        self.assertRegex(code, "^error: ")
        self.assertIn(message, code)
        self.assertNotIn("\n", code)


class BuildTest(parameterized.TestCase):
    def test_builds_an_overridden_configuration(self):
        data_dir = self.enter_context(tempfile.TemporaryDirectory())
        arguments = ["mass_spring", "--config=small", f"--data_dir={data_dir}", "--num_workers=1"]
        arguments += [f"--config.{change}" for change in ("num_train=5", "num_test=3", "num_steps=2")]
        arguments += ["--config.constant_ranges.m=1,2"]
        self.assertEqual(run(*arguments)[0], 0)
        [path] = pathlib.Path(data_dir).glob("mass_spring/small-*/1.0.0")
        examples = tfds.builder_from_directory(path).as_data_source(split="train")
        self.assertLen({float(example["constants"]["m"]) for example in examples}, 5)
        with absltest.mock.patch.object(simulation, "simulate_chunk", side_effect=AssertionError):
            self.assertEqual(run(*arguments)[0], 0)  # it exists

    def test_capped_data_set_is_not_taken_for_the_whole(self):
        """The command itself, as a process: its exit status, and one line on stderr."""
        data_dir = self.enter_context(tempfile.TemporaryDirectory())
        flags = ["--config=small", f"--data_dir={data_dir}"]
        self.assertEqual(run("data_builders/three_body", *flags, "--max_examples_per_split=3")[0], 0)
        path = pathlib.Path(data_dir, "three_body", "small", "1.0.0")
        self.assertLen(tfds.builder_from_directory(path).as_data_source(split="test"), 3)
        command = [sys.executable, "-m", "data_builders.build", "three_body", *flags]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
        self.assertEqual(done.returncode, 1)
        expected = f"error: data set {path}: is incomplete: 3 of 4000 train trajectories; to repair: rm -r {path}, "
        self.assertEqual(done.stderr, expected + "then run the same again\n")

    @parameterized.parameters(*SYSTEMS)
    def test_tfds_finds_the_builder_by_its_path(self, name):
        path = ROOT / "data_builders" / name
        builder, _ = tfds_build._get_builder_cls_and_kwargs(str(path), has_imports=False)
        self.assertEqual(builder.name, name)
        self.assertIn("small", builder.builder_configs)
