"""Tests of `benchmarks.accelerator`, on a CPU, which supports all precisions."""

import jax
import pytest
from absl.testing import absltest

from benchmarks import accelerator, train_step
from experiments.hgn import presets
from hgn_jax.networks.precision import PRECISIONS


def _smallest():
    return train_step.smallest(presets.PRESETS["mass_spring"])


class AcceleratorTest(absltest.TestCase):
    def test_a_row_for_each_precision_and_batch_and_one_for_the_scan(self):
        def measure(config, repeats, matmul_size):
            self.assertEqual((repeats, matmul_size), (3, 64))
            seconds = config.training.batch_size * (1.0 if config.unroll else 10.0)
            return train_step.Measured(seconds, 5.0, 6 * config.training.batch_size, 8, peak=12.0)

        with absltest.mock.patch.object(train_step, "measure", measure):
            *batches, scanned = accelerator.measure(_smallest(), (2, 4), repeats=3, matmul_size=64)
        for row, (precision, size) in zip(batches, [(p, n) for p in PRECISIONS for n in (2, 4)], strict=True):
            self.assertIn(f"{size} clips, {precision} precision", row.subject)
            self.assertIn(f"{precision} precision", row.compared_with)
            self.assertAlmostEqual(row.ratio, 0.5)  # smallest() rolls out by a scan
        self.assertEqual(scanned.ratio, 10.0)
        self.assertIn("unrolled", scanned.compared_with)

    @pytest.mark.slow
    def test_a_measurement(self):
        measured = train_step.measure(accelerator.vary(_smallest(), 2, precision="bfloat16"), 1, 16)
        self.assertEqual(measured.frames, 2 * 4)
        self.assertGreater(measured.rate, 0.0)
        self.assertEqual(measured.flops, train_step.step_flops(accelerator.vary(_smallest(), 2)))

    def test_a_batch_that_is_too_large_is_a_row(self):
        def measure(config, *_):
            if config.training.batch_size > 2:
                raise jax.errors.JaxRuntimeError("RESOURCE_EXHAUSTED: no room")
            return train_step.Measured(1.0, 1.0, 1, 1, 1.0)

        with absltest.mock.patch.object(train_step, "measure", measure):
            *batches, _ = accelerator.measure(_smallest(), (2, 4), 1)
        self.assertEqual([row.ratio for row in batches], [1.0, None] * len(PRECISIONS))

    def test_a_cpu_is_no_accelerator(self):
        with absltest.mock.patch.object(jax, "default_backend", lambda: "cpu"):
            (row,) = accelerator.measure_on_accelerator(_smallest(), 1)
        self.assertIsNone(row.ratio)
