"""Tests of `benchmarks.pipeline`."""

import time

from absl.testing import absltest

from benchmarks import pipeline, train_step
from experiments.hgn import data as hgn_experiment
from experiments.hgn import presets


class PipelineTest(absltest.TestCase):
    def test_a_slow_disk_shows(self):
        config = train_step.smallest(presets.get("mass_spring_small"))
        batches = hgn_experiment.batches

        def slow(*args):
            read = batches(*args)

            def slowly(step):
                if step >= 500:  # past the first epoch
                    time.sleep(0.05)
                return read(step)

            return slowly

        with absltest.mock.patch.object(hgn_experiment, "batches", slow):
            found = pipeline.measure(config, num_steps=4, turns=1)
        self.assertGreater(found.reading, 0.04)
        (row,) = self._rows(found)
        self.assertIn("idle", row.measured)
        self.assertAlmostEqual(row.ratio, found.ready / found.reading)

    def _rows(self, found):
        with absltest.mock.patch.object(pipeline, "measure", lambda *_: found):
            return pipeline.rows(presets.get("mass_spring_small"), 4)


if __name__ == "__main__":
    absltest.main()
