"""Tests of a split's statistics."""

import chex
import numpy as np

from data_builders.rendering import images as rendering
from data_builders.simulation import ground_truth as simulation
from data_builders.simulation.split_statistics import SplitStatistics
from tests.data_builders import tiny


class SplitStatisticsTest(chex.TestCase):
    def test_sums_of_parts_agree_with_the_definitions(self):
        config = tiny.config("three_body")
        whole = simulation.simulate_chunk(config.simulation, "train", 0)
        whole = whole._replace(num_redrawn=np.arange(len(whole.q)) % 2)
        images = rendering.render(config.canvas, whole.observed_q)
        total = SplitStatistics(config)
        for rows in (slice(0, 8), slice(8, 20)):
            part = SplitStatistics(config)
            part.add(simulation.Trajectories(*(x[rows] for x in whole)), images[rows])
            total.merge(part.sums())
        scaled = images / 255.0
        floor = np.mean((scaled - rendering.expected_render(config.canvas, whole.q, 0.2)) ** 2)
        reach = np.abs(whole.observed_q).max(axis=-1) + config.disc_radius
        expected = {
            "num_trajectories": 20,
            "noise_floor_mse": floor,
            "mean_image_mse": scaled.var(axis=(0, 1)).mean(),
            "clipped_fraction": np.mean(reach > config.half_width),
            "clipped_fraction_noise_free": np.mean(rendering.is_clipped(config.canvas, whole.q)),
            "max_relative_energy_error": whole.energy_error.max(),
            "num_redrawn_starts": 10,
        }
        summary = total.summary()
        self.assertEqual(list(summary), list(expected))
        for name, value in expected.items():
            np.testing.assert_allclose(summary[name], value, rtol=1e-5, err_msg=name)
