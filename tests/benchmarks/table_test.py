"""Tests of `benchmarks.table`."""

import itertools

from absl.testing import absltest

from benchmarks import table
from benchmarks.table import Row


class TableTest(absltest.TestCase):
    def test_functions_take_turns_after_a_call_that_is_not_counted(self):
        called, clock = [], itertools.count()
        runs = {name: lambda name=name: called.append(name) for name in "ab"}
        with absltest.mock.patch.object(table.time, "perf_counter", lambda: next(clock) * len(called)):
            table.interleaved_medians(runs, 2)
        self.assertEqual("".join(called), "ab" + "abab")

    def test_medians(self):
        ends = iter((0.0, 1.0, 0.0, 5.0, 0.0, 2.0, 0.0, 5.0, 0.0, 9.0, 0.0, 5.0))
        with absltest.mock.patch.object(table.time, "perf_counter", lambda: next(ends)):
            medians = table.interleaved_medians({"a": lambda: None, "b": lambda: None}, 3)
        self.assertEqual(medians, {"a": 2.0, "b": 5.0})

    def test_ratios_come_first(self):
        rows = [Row(1.234, "rollout", "3 steps/s", "jax"), Row(None, "flow", "1 us", "nothing"), Row(0.001, "", "", "")]
        lines = table.table(rows).splitlines()
        self.assertEqual([line.split()[0] for line in lines], ["ratio", "1.23", "-", "0.001"])
        self.assertEqual(
            {line.index(word) for line, word in zip(lines, ("subject", "rollout", "flow"), strict=False)}, {7}
        )

    def test_packages_that_are_not_installed(self):
        self.assertEqual(table.version("no_such_package"), "no_such_package, not installed")
        self.assertRegex(table.version("numpy"), r"^numpy \d+\.\d+")
        self.assertIn("diffrax is not installed", table.table([table.missing("rollout", "", "diffrax")]))
