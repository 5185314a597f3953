"""Tests of `experiments.nhf_table`."""

import json
import pathlib

from absl.testing import absltest

from experiments import nhf_table
from experiments.run.command_line import UserError


def _results(seed, kl, known=True):
    row = lambda mean: {"mean": mean, "standard_error": 0.002}
    test = {"elbo": row(-3.0), "log_prob": {"1": row(-3.0), "1024": row(-2.8 - kl)}}
    if known:
        test |= {"exact_log_prob": row(-2.8), "kl": row(kl), "gaussian_kl": row(1.5)}
    else:
        test |= {"gaussian_log_prob": row(-4.0)}
    run = {"preset": "rings" if known else "wine", "seed": seed, "cpu_time_s": {"training": 100.0 + seed}}
    return {"test": test, "map": {"float32": {"inverse": 2e-6}}, "run": run}


class NHFTableTest(absltest.TestCase):
    def setUp(self):
        super().setUp()
        self.directory = pathlib.Path(self.create_tempdir().full_path)

    def _write(self, name, results, program="nhf"):
        path = self.directory / name
        path.mkdir()
        (path / "config.json").write_text(json.dumps({"program": program}))
        if results:
            (path / "metrics.json").write_text(json.dumps(results))
        return str(path)

    def test_a_row_a_preset_with_its_seeds_in_order(self):
        paths = [self._write("b", _results(1, 0.04)), self._write("a", _results(0, 0.02))]
        paths += [
            self._write("w", _results(0, 0.1, known=False)),
            self._write("h", None, "hgn"),
            self._write("n", None),
        ]
        lines = nhf_table.table(nhf_table.read_runs(paths)).splitlines()
        self.assertLen(lines, 4)
        self.assertEqual(
            lines[2],
            "| `rings` | 0, 1 | **0.0300** | 0.0200 ± 0.0020, 0.0400 ± 0.0020 | 0.200 | 1.500 | 2e-06 | - | 101 |",
        )
        self.assertStartsWith(lines[3], "| `wine` | 0 | **2.9000** | 2.9000 ± 0.0020 | 3.000 | 4.000 |")

    def test_refuses_what_is_no_run(self):
        with self.assertRaisesRegex(UserError, "no run in"):
            nhf_table.read_runs([str(self.directory)])
        with self.assertRaisesRegex(UserError, "no finished run of experiments.nhf"):
            nhf_table.read_runs([self._write("h", None, "hgn")])


if __name__ == "__main__":
    absltest.main()
