"""Tests of `benchmarks.pipeline`."""

import time

import pytest
from absl.testing import absltest

from benchmarks import pipeline, train_step
from experiments.hgn import data, presets


class PipelineTest(absltest.TestCase):
    @pytest.mark.slow
    def test_slow_reading_makes_the_device_idle(self):
        config = train_step.smallest(presets.PRESETS["mass_spring_small"])
        batches = data.batches

        def slow_batches(*args):
            source = batches(*args)

            def batch_at(step):
                if step >= 4:  # after the first epoch, which is not timed
                    time.sleep(0.05)
                return source.batch_at(step)

            return source._replace(batch_at=batch_at)

        with absltest.mock.patch.object(data, "batches", slow_batches):
            measured = pipeline.measure(config, num_steps=4, turns=1, num_clips=16)
        self.assertGreater(measured.reading, 0.04)
        with absltest.mock.patch.object(pipeline, "measure", lambda *_: measured):
            row = pipeline.row(config, 4)
        self.assertIn("idle", row.measured)
        self.assertAlmostEqual(row.ratio, measured.ready / measured.reading)
