"""Tests of `hgn_jax.training.logs`."""

import pathlib
from unittest import mock

import tensorboardX
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

    def test_a_run_goes_on_from_any_beginning_of_the_file(self):
        """As after a power failure, which leaves a part of the last rows, or zeros in their place."""
        path = self.directory / "metrics.csv"
        self._write(range(1, 5))
        whole, rows = path.read_bytes(), read_metrics(path)
        for end in range(len(whole)):
            for rest in (b"", bytes(len(whole) - end), *([bytes(200_000)] if end % 20 == 0 else [])):
                path.write_bytes(whole[:end] + rest)
                read = read_metrics(path)
                self.assertEqual(read, rows[: len(read)])
                self.assertLen(read, max(whole[:end].count(b"\n") - 1, 0))
                with mock.patch.object(tensorboardX, "SummaryWriter"):
                    writer = MetricsWriter(self.directory, resume_step=4)
                self.assertEqual(writer.damage is None, not rest and (not end or whole[:end].endswith(b"\n")))
                self.assertEqual(read_metrics(path), read)

    def test_what_is_dropped_is_said(self):
        path = self.directory / "metrics.csv"
        self._write((10, 20, 30))
        path.write_bytes(path.read_bytes()[:-5])
        writer = MetricsWriter(self.directory, resume_step=30)
        self.assertEqual(writer.damage, f"{path} is damaged from line 4 on; the rows after step 20 are dropped")
