"""Tests of `benchmarks.scaling`."""

import jax
import pytest
from absl.testing import absltest

from benchmarks import scaling, train_step
from benchmarks.scaling import Scaling
from experiments.hgn import presets


class ScalingTest(absltest.TestCase):
    @pytest.mark.slow
    def test_numbers_of_devices_divide_the_batch(self):
        results = scaling.measure(train_step.smallest(presets.PRESETS["mass_spring_small"]), repeats=2)
        self.assertEqual([r.num_devices for r in results], [2**i for i in range(jax.device_count().bit_length())])
        self.assertEqual({r.batch_size for r in results}, {4})
        self.assertGreater(min(r.seconds for r in results), 0.0)

    def test_overhead(self):
        _, alone, two = scaling.lines([Scaling(1, 4, 0.2), Scaling(2, 4, 0.21)])
        self.assertEndsWith(alone, "+0.0%")
        self.assertEndsWith(two, "+5.0%")
