"""Tests of `hgn_jax.training.logs`."""

import pathlib

from absl.testing import absltest

from hgn_jax.training.logs import MetricsWriter, read_metrics


class LogsTest(absltest.TestCase):
    def setUp(self):
        super().setUp()
        self.directory = pathlib.Path(self.create_tempdir().full_path)

    def _write(self, steps, resume_step=0):
        writer = MetricsWriter(self.directory, resume_step)
        for step in steps:
            writer.write(step, {"loss": step / 3.0, "kl": 1e-30}, {"frames_per_second": 1.0})
        writer.close()

    def test_rows_come_back_exactly(self):
        self._write((10, 20))
        self.assertEqual(
            read_metrics(self.directory / "metrics.csv"),
            [{"step": step, "loss": step / 3.0, "kl": 1e-30} for step in (10, 20)],
        )
        self.assertNotEmpty(list(self.directory.glob("events.*")))

    def test_resuming_deletes_the_rows_after_the_checkpoint(self):
        self._write((10, 20, 30, 40))
        self._write((30, 40, 50), resume_step=20)
        self.assertEqual([row["step"] for row in read_metrics(self.directory / "metrics.csv")], [10, 20, 30, 40, 50])

    def test_a_missing_file_has_no_rows(self):
        self.assertEmpty(read_metrics(self.directory / "metrics.csv"))
