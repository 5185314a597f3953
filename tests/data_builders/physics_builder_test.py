"""Tests of the builders of simulated data sets: configurations, examples, metadata."""

import dataclasses
import json
import math
import pickle
import re
import subprocess
import sys
import tempfile

import chex
import jax
import numpy as np
import tensorflow_datasets as tfds
from absl.testing import absltest, parameterized
from tensorflow_datasets.core import hashing

from data_builders import configs, datasets
from data_builders.rendering import images as rendering
from data_builders.simulation import draws
from data_builders.simulation import ground_truth as simulation
from data_builders.tfds_backend import records
from hgn_jax.physics.phase_space import PhaseState
from hgn_jax.physics.systems import SYSTEMS, get_system
from tests.data_builders import tiny
from tests.root import ROOT

CONFIGS = ["paper", "small", "noise_free", "small_noise_free", "paper_64x64", "small_64x64", "damped", "small_damped"]
CONFIGS += ["long_test", "small_long_test", "dt_0.05", "small_dt_0.05", "randomised", "small_randomised"]


def read(path, split):
    """Returns all examples of a split, in the order in which they are stored."""
    return list(tfds.builder_from_directory(path).as_data_source(split=split))


def stack(examples, *features):
    return {feature: np.stack([example[feature] for example in examples]) for feature in features}


class ConfigTest(chex.TestCase):
    @parameterized.parameters(*SYSTEMS)
    def test_named_configs(self, name):
        builder = datasets.get_builder(name)
        own = ["mgl", "small_mgl"] if name == "pendulum" else []
        self.assertEqual(list(builder.builder_configs), CONFIGS + own)
        paper, small, noise_free, small_noise_free, _, small_64 = builder.BUILDER_CONFIGS[:6]
        self.assertEqual((paper.num_train, paper.num_test, paper.num_steps, paper.dt), (50_000, 10_000, 30, 0.125))
        self.assertEqual((small.num_train, small.num_test, small.image_size), (4_000, 1_000, 32))
        self.assertEqual((noise_free.num_train, noise_free.observation_noise), (50_000, 0.0))
        self.assertEqual((small_noise_free.num_train, small_noise_free.observation_noise), (4_000, 0.0))
        self.assertEqual((small_64.num_train, small_64.image_size), (4_000, 64))
        for config in builder.BUILDER_CONFIGS:
            self.assertEqual(config.system, name)
            self.assertEqual(config.velocity_perturbation, 0.1 if name.endswith("body") else 0.0)

    @parameterized.parameters(
        ("mass_spring", {"k": 2.0, "m": 0.5}, (0.1, 1.0), 0.1),
        ("pendulum", {"m": 0.5, "g": 3.0, "l": 1.0, "potential_factor": 2.0}, (1.3, 2.3), 0.1),
        ("two_body", {"m": 1.0, "g": 1.0}, (0.5, 1.5), 0.05),
        ("three_body", {"m": 1.0, "g": 1.0}, (0.9, 1.2), 0.2),
        ("double_pendulum", {"m1": 0.5, "m2": 0.5, "g": 3.0, "l1": 1.0, "l2": 1.0}, (1.3, 2.3), 0.05),
    )
    def test_paper_settings(self, name, constants, radius_range, noise):
        paper = datasets.get_builder(name).named_config("paper")
        self.assertEqual(paper.constants, constants)
        self.assertEqual((paper.radius_range, paper.observation_noise), (radius_range, noise))

    @parameterized.product(name=tuple(SYSTEMS), config=("small", "small_randomised"))
    @absltest.mock.patch.object(draws, "CHUNK_SIZE", 60)
    def test_discs_stay_on_the_canvas_and_are_visible(self, name, config):
        config = datasets.get_builder(name).named_config(config)
        trajectories = simulation.simulate_chunk(config.simulation, "test", 0)
        constants = {**config.constants, **draws.draw_constants(config.simulation, "test", 0)}
        look = records.draw_look(config, "test", 0, constants) if config.varies_scene else None
        self.assertLess(rendering.is_clipped(config.canvas, trajectories.observed_q, look).mean(), 0.01)
        radius_in_pixels = config.disc_radius / (2 * config.half_width) * config.image_size
        self.assertBetween(radius_in_pixels, 2.4, 4.0)

    @parameterized.parameters(*SYSTEMS)
    def test_variants(self, name):
        builder = datasets.get_builder(name)
        self.assertEqual(builder.named_config("damped").damping, 0.05)
        self.assertEqual(builder.named_config("dt_0.05").dt, 0.05)
        self.assertEqual(builder.named_config("long_test").split_steps(), {"train": 30, "test": 256})
        for small in ("small_damped", "small_dt_0.05", "small_long_test", "small_randomised"):
            small, paper = builder.named_config(small), builder.named_config(small.removeprefix("small_"))
            self.assertEqual(builder.derive_config(paper, num_train=4_000, num_test=1_000).name, small.name)
        randomised = builder.named_config("randomised")
        self.assertTrue(randomised.constant_ranges and randomised.num_colours and randomised.canvas_offset)
        if name == "pendulum":
            self.assertEqual(builder.named_config("mgl").constants["potential_factor"], 1.0)

    def test_names_of_derived_configs_tell_the_changes(self):
        derived = datasets.derive_config("three_body", "small", image_size=64, num_train=100)
        self.assertEqual(derived.name, "small-image_size_64-num_train_100")
        self.assertEqual((derived.image_size, derived.num_train, derived.num_test), (64, 100, 1_000))
        again = datasets.derive_config("three_body", derived, num_test=7)
        self.assertEqual(again.name, "small-image_size_64-num_train_100-num_test_7")
        self.assertNotIn("num_train_100", datasets.derive_config("three_body", "small", dt=1).name)

    def test_derived_names_are_distinct_and_safe(self):
        changes = [
            {"observation_noise": 0.05},
            {"observation_noise": 0.5},
            {"observation_noise": 1e-7},
            {"observation_noise": 0.1234567891},
            {"constants": {"m": 2.0}},
            {"constants": {"g": 2.0}},
            {"background": (0, 0, 0)},
            {"colours": [[255, 0, 0], [0, 255, 0], [0, 0, 255]]},
            {name: 3 for name in ("num_train", "num_test", "num_steps", "image_size", "seed", "edge_temperature")},
            {name: 4 for name in ("num_train", "num_test", "num_steps", "image_size", "seed", "edge_temperature")},
        ]
        names = [datasets.derive_config("three_body", "small", **change).name for change in changes]
        self.assertLen(set(names), len(changes))
        for name in names:
            self.assertRegex(name, re.compile(r"^[A-Za-z0-9_.-]{1,120}$"))

    def test_derived_config_that_exists_is_the_existing_one(self):
        builder = datasets.get_builder("pendulum")
        self.assertIs(builder.derive_config("small", image_size=64), builder.named_config("small_64x64"))
        self.assertIs(builder.derive_config("small", num_train=50_000, num_test=10_000), builder.named_config("paper"))
        self.assertIs(builder.derive_config("small"), builder.named_config("small"))
        self.assertIs(builder.derive_config("small", constants={"l": 1}), builder.named_config("small"))

    @parameterized.parameters(
        ({"colour": 1}, "unknown field colour; choose from system, constants"),
        ({"num_train": 0}, "num_train must be positive and finite, got 0"),
        ({"num_train": 1.5}, "num_train: cannot use 1.5"),
        ({"dt": "fast"}, "dt: cannot use 'fast'"),
        ({"observation_noise": -1}, "observation_noise must be 0 or more and finite, got -1"),
        ({"constants": {"mass": 1}}, "two_body has no constant mass; it has m, g"),
        ({"colours": [[0, 0, 0]]}, "two_body needs 2 colours, got 1"),
        ({"radius_range": (2, 1)}, "radius_range must be 0 <= low <= high"),
        ({"constant_ranges": {"mass": (1, 2)}}, "two_body has no constant mass; it has m, g"),
        ({"constant_ranges": {"m": (2, 1)}}, "constant_ranges must be 0 < low <= high and finite, got .* for m"),
        ({"constant_ranges": {"m": 2}}, "constant_ranges: cannot use "),
        ({"num_colours": 1}, "num_colours must be 0 or from 2 to 6, got 1"),
        ({"background": (0, 0, 256)}, "background: cannot use .*from 0 to 255"),
        ({"damping": -0.1}, "damping must be 0 or more and finite, got -0.1"),
        (
            {"dt": 0, "damping": -1, "constants": {"g": math.nan}},
            "^dt must be .*; damping must .*; constants must .* g=n",
        ),
        ({"dt": "fast", "num_train": 1.5}, "^num_train: cannot use 1.5 .*; dt: cannot use 'fast'"),
        ({"num_steps": 10**400, "constants": {"m": 10**400}}, "constants: cannot use "),
        ({"system": "four_body"}, "unknown system 'four_body'; choose one of mass_spring"),
    )
    def test_wrong_values_are_errors(self, overrides, message):
        with self.assertRaisesRegex(ValueError, message):
            datasets.derive_config("two_body", "small", **overrides)

    def test_the_bytes_do_not_depend_on_the_precision_of_the_user(self):
        config, task = tiny.config("two_body", observation_noise=0.1), records.Task("test", 0, 2)
        single = records.make_records(config, task)
        with jax.enable_x64(True):
            double = records.make_records(config, task)
        self.assertEqual(single.records, double.records)
        chex.assert_trees_all_equal(single.sums, double.sums)

    @parameterized.product(system=tuple(SYSTEMS), value=(math.nan, math.inf, -math.inf))
    def test_numbers_that_are_not_finite_are_refused_wherever_they_stand(self, system, value):
        config = datasets.derive_config(system, "small")
        fields = {field.name: field.type for field in dataclasses.fields(config)}
        places = {name: value for name in configs.field_names(config) if fields[name] is float}
        places |= {"radius_range": (0.1, value)}
        for name, wrong in places.items():
            with self.assertRaisesRegex(ValueError, f"^{name} must be"):
                datasets.derive_config(system, "small", **{name: wrong})
        for constant in config.constants:
            with self.assertRaisesRegex(ValueError, f"^constants must be finite, got {constant}="):
                datasets.derive_config(system, "small", constants={constant: value})
            with self.assertRaisesRegex(ValueError, f"^constant_ranges must be .* for {constant}"):
                datasets.derive_config(system, "small", constant_ranges={constant: (0.1, value)})

    def test_a_builder_builds_its_own_system_only(self):
        config = tiny.config("two_body")
        with self.assertRaisesRegex(ValueError, "pendulum cannot build a configuration of two_body"):
            datasets.get_builder("pendulum")(config=config, data_dir=self.enter_context(tempfile.TemporaryDirectory()))

    def test_importing_a_builder_does_not_start_jax(self):
        code = (
            "import data_builders.three_body.three_body_dataset_builder, jax;"
            "from jax._src import xla_bridge; assert not xla_bridge._backends"
        )
        subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)


def mode(name):
    return tfds.download.DownloadConfig(download_mode=tfds.download.GenerateMode[name])


class BuilderTest(chex.TestCase):
    def setUp(self):
        super().setUp()
        self.data_dir = self.enter_context(tempfile.TemporaryDirectory())

    @parameterized.parameters(*SYSTEMS)
    def test_examples_are_the_simulated_trajectories(self, name):
        path, config = tiny.built(name), tiny.config(name)
        for split, number in (("train", 12), ("test", 5)):
            [expected] = simulation.simulate(config.simulation, split, number)
            images = rendering.render(config.canvas, expected.observed_q)
            examples = {int(example["index"]): example for example in read(path, split)}
            self.assertEqual(sorted(examples), list(range(number)))
            for index, example in examples.items():
                for field in ("q", "p", "dq_dt", "dp_dt", "energy"):
                    self.assertEqual(example[field].dtype, np.float32)
                    np.testing.assert_allclose(example[field], getattr(expected, field)[index], rtol=1e-6)
                np.testing.assert_array_equal(example["image"], images[index])
                self.assertEqual({k: float(v) for k, v in example["constants"].items()}, config.constants)

    def test_metadata_describe_the_data_set(self):
        path, config = tiny.built("three_body"), tiny.config("three_body")
        metadata = datasets.read_metadata(path)
        self.assertEqual(dict(tfds.builder_from_directory(path).info.metadata.items()), metadata)
        self.assertEqual(json.loads(json.dumps(config.values())), {k: metadata[k] for k in config.values()})
        self.assertEqual(rendering.canvas_from_metadata(metadata), config.canvas)
        for split in ("train", "test"):
            stacked = stack(read(path, split), "image", "q")
            images, q = stacked["image"] / 255.0, stacked["q"]
            statistics = metadata["splits"][split]
            self.assertEqual(statistics["num_trajectories"], len(q))
            floor = np.mean((rendering.expected_images(metadata, q) - images) ** 2)
            np.testing.assert_allclose(statistics["noise_floor_mse"], floor, rtol=1e-4)
            np.testing.assert_allclose(statistics["mean_image_mse"], images.var(axis=(0, 1)).mean(), rtol=1e-4)
            self.assertLess(statistics["noise_floor_mse"], statistics["mean_image_mse"])
            self.assertBetween(statistics["max_relative_energy_error"], 0.0, 1e-8)
            np.testing.assert_allclose(
                statistics["clipped_fraction_noise_free"], rendering.is_clipped(config.canvas, q).mean()
            )
            self.assertLess(statistics["clipped_fraction"], 0.1)

    @parameterized.parameters(*SYSTEMS)
    def test_randomised_examples_carry_their_constants_and_looks(self, name):
        path, config = tiny.built(name, "small_randomised"), tiny.config(name, "small_randomised")
        metadata, examples = datasets.read_metadata(path), read(path, "train")
        for example in examples:
            system = get_system(name, **example["constants"])
            state = PhaseState(*(example[x].reshape(5, *system.state_shape) for x in ("q", "p")))
            np.testing.assert_allclose(system.hamiltonian(state), example["energy"], rtol=1e-4, atol=1e-5)
        for feature in (*config.constant_ranges, "colours", "offset"):
            values = [example["constants"].get(feature, example.get(feature)) for example in examples]
            self.assertGreater(len({np.asarray(value).tobytes() for value in values}), 3, feature)
        for rod in {"l", "l1"} & set(config.constants):
            for example in examples:
                self.assertEqual(example["constants"][rod], example["rod_lengths"][0])
        stacked = stack(examples, "image", "q", *rendering.Look._fields)
        expected = rendering.expected_images(metadata, stacked["q"], stacked)
        floor = np.mean((expected - stacked["image"] / 255.0) ** 2)
        np.testing.assert_allclose(metadata["splits"]["train"]["noise_floor_mse"], floor, rtol=1e-4)
        for feature in ("colours", "offset"):  # the look of another example does not fit
            other = rendering.expected_images(metadata, stacked["q"], {**stacked, feature: stacked[feature][::-1]})
            self.assertLess(1.2 * floor, np.mean((other - stacked["image"] / 255.0) ** 2))

    def test_test_trajectories_can_be_longer(self):
        path = tiny.built("pendulum", num_test_steps=9)
        [train, *_], [test, *_] = read(path, "train"), read(path, "test")
        self.assertEqual((train["image"].shape, test["image"].shape), ((5, 32, 32, 3), (10, 32, 32, 3)))
        self.assertEqual((train["q"].shape, test["q"].shape), ((5, 1), (10, 1)))
        self.assertEqual((train["energy"].shape, test["energy"].shape), ((5,), (10,)))
        np.testing.assert_array_equal(read(tiny.built("pendulum"), "train")[0]["image"], train["image"])

    def test_order_and_shards_are_those_of_tfds(self):
        """TFDS's own writer keeps a split in memory; the order of the examples must be the same."""
        config = tiny.config("mass_spring")
        hasher = hashing.Hasher("train")
        expected = sorted(range(12), key=lambda index: hasher.hash_key(index))
        examples = read(tiny.built("mass_spring"), "train")
        self.assertEqual([int(example["index"]) for example in examples], expected)
        builder = datasets.get_builder("mass_spring")(config=config, data_dir=self.data_dir)
        builder.download_and_prepare(download_config=tfds.download.DownloadConfig(num_shards=5))
        self.assertEqual(builder.info.splits["train"].shard_lengths, [2, 3, 2, 3, 2])
        sharded = read(builder.data_dir, "train")
        self.assertEqual([int(example["index"]) for example in sharded], expected)
        np.testing.assert_array_equal(sharded[5]["image"], examples[5]["image"])

    def test_slices_and_even_splits(self):
        builder = tfds.builder_from_directory(tiny.built("mass_spring"))
        parts = [builder.as_data_source(split=split) for split in tfds.even_splits("train", 3)]
        indices = [int(example["index"]) for part in parts for example in part]
        self.assertEqual((sorted(indices), [len(part) for part in parts]), (list(range(12)), [4, 4, 4]))
        self.assertLen(builder.as_data_source(split="test[:40%]"), 2)

    def test_floor_without_noise_is_rounding(self):
        metadata = datasets.read_metadata(tiny.built("pendulum", observation_noise=0.0))
        self.assertLess(metadata["splits"]["train"]["noise_floor_mse"], 0.5**2 / 255**2)

    def test_metadata_after_another_build(self):
        path, config = tiny.copy(tiny.built("mass_spring"), self.data_dir), tiny.config("mass_spring")
        before = datasets.read_metadata(path)
        make = lambda: datasets.get_builder("mass_spring")(config=config, data_dir=self.data_dir)
        make().download_and_prepare(download_config=mode("UPDATE_DATASET_INFO"))
        self.assertEqual(datasets.read_metadata(path), before)
        (path / "metadata.json").write_text('{"stale": 1}')
        again = make()
        self.assertEqual(again.info.metadata, {"stale": 1})
        again.download_and_prepare(download_config=mode("REUSE_CACHE_IF_EXISTS"))
        self.assertEqual(datasets.read_metadata(path), before)

    def test_other_image_sizes_and_constants(self):
        path = tiny.built("pendulum", image_size=64, constants={"l": 0.5})
        [example, *_] = read(path, "test")
        self.assertEqual(example["image"].shape, (5, 64, 64, 3))
        self.assertEqual(example["constants"]["l"], 0.5)
        self.assertEqual(datasets.read_metadata(path)["canvas"]["rod_length"], 0.5)

    def test_builders_pickle(self):
        builder = datasets.get_builder("two_body")(config="small", data_dir=self.data_dir)
        copy = pickle.loads(pickle.dumps(builder))
        self.assertEqual(copy.data_dir, builder.data_dir)
        self.assertEqual(copy.info.file_format.value, "array_record")

    def test_description_and_citation(self):
        info = datasets.get_builder("two_body")(config="small", data_dir=self.data_dir).info
        self.assertIn("Two gravitating bodies", info.description)
        self.assertIn("Hamiltonian Generative Networks", info.citation)
