"""Tests of `benchmarks.data`."""

import tempfile

import numpy as np
import pytest
from absl.testing import absltest, parameterized

from benchmarks import data
from data_builders import datasets
from data_builders.simulation import ground_truth
from hgn_jax.physics.systems import SYSTEMS


class DataTest(parameterized.TestCase):
    @parameterized.parameters(*SYSTEMS)
    def test_scipy_integrates_the_same_trajectories(self, name):
        """The hand-written forces of the benchmark also check the simulator."""
        setting = datasets.get_builder(name).named_config("paper").simulation
        positions = data.one_at_a_time(setting, [0, 7], 1e-10)
        expected = ground_truth.simulate_chunk(setting, "train", 0).q[[0, 7]]
        np.testing.assert_allclose(positions, expected, atol=1e-5)

    def test_reading_counts_every_frame(self):
        data_dir = self.enter_context(tempfile.TemporaryDirectory())
        config = datasets.derive_config("mass_spring", "small", num_train=16, num_test=1, num_steps=3)
        path = datasets.ensure_built("mass_spring", config, data_dir)
        from_disk = [0.0, 0.0, 0.5, 1.0, 1.0]  # the start, two batches, the end twice
        kept = [0.0, 0.0, 0.2, 0.4, 0.7, 2.0, 2.0]
        clock = iter(from_disk + kept)
        with absltest.mock.patch.object(data.time, "perf_counter", lambda: next(clock)):
            self.assertEqual(data.reading(path, 8, 1.0), (2 * 8 * 4, 4 * 8 * 4 / 2.0))

    @pytest.mark.slow
    def test_time_and_memory_of_a_build(self):
        data_dir = self.enter_context(tempfile.TemporaryDirectory())
        config = datasets.derive_config("mass_spring", "paper", num_train=16, num_test=3)
        seconds, memory = data.timed_build("mass_spring", config, data_dir, 1)
        self.assertBetween(seconds, 0.5, 100.0)
        self.assertBetween(memory / 1e6, 50, 2000)
        datasets.check_dataset(datasets.dataset_path("mass_spring", config, data_dir), "mass_spring", config)
