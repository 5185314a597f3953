"""Tests of a split's statistics."""

import chex
import numpy as np
from absl.testing import absltest

from data_builders import datasets
from data_builders.rendering import images as rendering
from data_builders.simulation import ground_truth as simulation
from data_builders.simulation.split_statistics import SplitStatistics


class SplitStatisticsTest(chex.TestCase):
    def test_parts_add_up_to_what_their_definitions_give(self):
        config = datasets.derive_config("three_body", "small", num_steps=3)
        whole = simulation.simulate_chunk(config.simulation, "train", 0)
        whole = whole._replace(num_redrawn=np.arange(len(whole.q)) % 2)
        images = rendering.render(config.canvas, whole.observed_q)
        total = SplitStatistics(config)
        for rows in (slice(0, 200), slice(200, 500)):
            part = SplitStatistics(config)
            part.add(simulation.Trajectories(*(x[rows] for x in whole)), images[rows])
            total.merge(part.sums())
        scaled = images / 255.0
        floor = np.mean((scaled - rendering.expected_render(config.canvas, whole.q, 0.2)) ** 2)
        reach = np.abs(whole.observed_q).max(axis=-1) + config.disc_radius
        expected = {
            "num_trajectories": 500,
            "noise_floor_mse": floor,
            "mean_image_mse": scaled.var(axis=(0, 1)).mean(),
            "clipped_fraction": np.mean(reach > config.half_width),
            "clipped_fraction_noise_free": np.mean(rendering.is_clipped(config.canvas, whole.q)),
            "max_relative_energy_error": whole.energy_error.max(),
            "num_redrawn_starts": 250,
        }
        found = total.summary()
        self.assertEqual(list(found), list(expected))
        for name, value in expected.items():
            np.testing.assert_allclose(found[name], value, rtol=1e-5, err_msg=name)


if __name__ == "__main__":
    absltest.main()
