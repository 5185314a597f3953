"""Tests of `experiments.nhf_table`."""

import dataclasses
import json
import pathlib

from absl.testing import absltest

from experiments import nhf_table
from experiments.nhf.results import Estimate, FlowResults, Likelihood, MapErrors
from experiments.reporting.tables import to_markdown
from experiments.run.command_line import UserError
from experiments.run.results import write_results
from tests.experiments.made_up_results import RUN


def _results(seed, kl, known=True):
    estimate = lambda mean: Estimate(mean=mean, standard_error=0.002)
    if known:
        references = {"exact_log_prob": estimate(-2.8), "kl": estimate(kl), "gaussian_kl": estimate(1.5)}
    else:
        references = {"gaussian_log_prob": estimate(-4.0)}
    bounds = {"1": estimate(-3.0), "1024": estimate(-2.8 - kl)}
    facts = dataclasses.replace(
        RUN, preset="rings" if known else "wine", seed=seed, cpu_time_s={"training": 100.0 + seed}
    )
    return FlowResults(
        test=Likelihood(num_points=50, elbo=estimate(-3.0), log_prob=bounds, **references),
        map={"float32": MapErrors(inverse=2e-6, volume=0.0)},
        run=facts,
    )


class NHFTableTest(absltest.TestCase):
    def setUp(self):
        super().setUp()
        self.directory = pathlib.Path(self.create_tempdir().full_path)

    def _write(self, name, results, program="nhf"):
        path = self.directory / name
        path.mkdir()
        (path / "config.json").write_text(json.dumps({"program": program}))
        if results:
            write_results(path / "metrics.json", results)
        return str(path)

    def test_one_row_per_preset_with_its_seeds_in_order(self):
        paths = [self._write("b", _results(1, 0.04)), self._write("a", _results(0, 0.02))]
        paths += [
            self._write("w", _results(0, 0.1, known=False)),
            self._write("h", None, "hgn"),
            self._write("n", None),
        ]
        lines = to_markdown(nhf_table.table(nhf_table.read_runs(paths))).splitlines()
        self.assertLen(lines, 4)
        self.assertEqual(
            lines[2],
            "| `rings` | 0, 1 | **0.0300** | 0.0200 ± 0.0020, 0.0400 ± 0.0020 | 0.200 | 1.500 | 2e-06 | - | 101 |",
        )
        self.assertStartsWith(lines[3], "| `wine` | 0 | **2.9000** | 2.9000 ± 0.0020 | 3.000 | 4.000 |")

    def test_refuses_paths_without_a_finished_flow(self):
        with self.assertRaisesRegex(UserError, "no run in"):
            nhf_table.read_runs([str(self.directory)])
        with self.assertRaisesRegex(UserError, "no finished run of experiments.nhf"):
            nhf_table.read_runs([self._write("h", None, "hgn")])
