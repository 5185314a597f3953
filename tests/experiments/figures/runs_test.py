"""Tests of `experiments.figures.runs`."""

import pathlib

from absl.testing import parameterized

from experiments.comparison.rows import ROWS, SYSTEMS, preset
from experiments.figures import runs as figure_runs
from experiments.run.command_line import UserError
from experiments.run.presets import pick
from experiments.run.results import write_results
from experiments.run.run_directory import RunDirectory, write_config
from experiments.tasks import TASKS
from tests.experiments.made_up_results import results, split_errors


def _results(**test):
    return results(train=split_errors(), test=split_errors(**test))


class ReadTest(parameterized.TestCase):
    def setUp(self):
        super().setUp()
        self.directory = pathlib.Path(self.create_tempdir().full_path)

    def _write(self, name, config, numbers=None, checkpoints=True):
        run = RunDirectory(self.directory / name)
        run.path.mkdir()
        write_config(run, config)
        write_results(run.metrics, numbers or _results())
        if checkpoints:
            run.checkpoints.mkdir()
        return str(run.path)

    def _row(self, row, system, number=0, **kwargs):
        config = pick(TASKS[ROWS[row].program].presets, preset(ROWS[row], system, "small"))
        for field, value in ROWS[row].changes.items():
            setattr(config, field, value)
        return self._write(f"{system}_{row}_{number}", config, **kwargs)

    def test_several_runs_are_in_the_order_of_the_table(self):
        every = [(system, row) for system in SYSTEMS for row in ROWS]
        paths = [self._row(row, system) for system, row in reversed(every)]
        groups, left_out = figure_runs.read_several(paths)
        self.assertEqual([(system, model.label) for system, models in groups.items() for model in models],
                         [(system, ROWS[row].label) for system, row in every])  # fmt: skip
        self.assertEmpty(left_out)
        for system, models in groups.items():
            self.assertEqual(figure_runs.full_model(models).label, "HGN (leapfrog)")
            for model in models:
                self.assertEqual(model.config.data.name, system)
                self.assertIn(f"{system}_", model.directory.path.name)

    def test_without_the_full_model_another_hgn_is_shown(self):
        paths = [self._row(row, "pendulum") for row in ("hnn", "hgn_no_f_psi", "hgn_euler")]
        groups, _ = figure_runs.read_several(paths)
        self.assertEqual(figure_runs.full_model(groups["pendulum"]).label, "HGN (no f_ψ)")

    def test_runs_of_other_models_are_left_out(self):
        joint = pick(TASKS["hgn"].presets, "pendulum_small")
        joint.hamiltonian = "joint"
        others = [
            self._write("joint", joint),
            self._write("state", TASKS["hnn"].presets["pendulum_state"]),
            self._write("flow", TASKS["nhf"].presets["four_modes"]),
        ]
        (RunDirectory(pathlib.Path(others[1])).metrics).unlink()
        groups, left_out = figure_runs.read_several([*others, self._row("hgn_leapfrog", "pendulum")])
        self.assertEqual((list(groups), left_out), (["pendulum"], others))
        with self.assertRaisesRegex(UserError, "none of the runs given belongs to the comparison of HNN, HNN"):
            figure_runs.read_several(others)

    def test_a_single_run_may_be_any_hgn(self):
        joint = pick(TASKS["hgn"].presets, "two_body_small")
        joint.hamiltonian = "joint"
        groups = figure_runs.read_one(self._write("joint", joint))
        ((system, (model,)),) = groups.items()
        self.assertEqual((system, model.label, model.config), ("two_body", "HGN", joint))
        ((_, (model,)),) = figure_runs.read_one(self._row("hgn_euler", "two_body")).items()
        self.assertEqual(model.label, "HGN (Euler)")

    def test_unsuitable_runs_are_refused_in_one_line(self):
        unfinished = self._row("hgn_euler", "pendulum")
        RunDirectory(pathlib.Path(unfinished)).metrics.unlink()
        damaged = self._row("hgn_no_f_psi", "pendulum")
        RunDirectory(pathlib.Path(damaged)).metrics.write_text("{")
        full = self._row("hgn_leapfrog", "pendulum")
        old = self._row("hnn", "pendulum", 1)
        RunDirectory(pathlib.Path(old)).metrics.write_text("{}")
        again = self._row("hgn_leapfrog", "pendulum", 1)
        other_size = self._row("hgn_deterministic", "pendulum", numbers=_results(num_examples=3))
        untrained = self._row("hgn_5_frames", "pendulum", checkpoints=False)
        alone = self._row("hnn", "two_body")
        mistakes = {
            "no run in --workdir=.*nowhere": "nowhere",
            f"{unfinished} is not finished: there is no metrics.json": unfinished,
            "metrics.json is damaged .Expecting": damaged,
            "metrics.json has version None, and this program reads .*; measure again: python -m": old,
            "are both HGN .leapfrog. of pendulum": again,
            "num_examples is 500 in the first and 3 in the second": other_size,
            f"no checkpoint in {untrained}": untrained,
            "the runs of two_body are HNN; .* need a run of experiments.hgn as well": alone,
        }
        for message, path in mistakes.items():
            with self.subTest(message), self.assertRaisesRegex(UserError, message) as raised:
                figure_runs.read_several([full, path])
            self.assertNotIn("\n", str(raised.exception))
        for message, path in {
            "no run in --workdir=nowhere": "nowhere",
            "is not finished: there is no metrics.json": unfinished,
            "holds a run of experiments.hnn, not of experiments.hgn": self._row("hnn", "pendulum", 2),
        }.items():
            with self.subTest(message), self.assertRaisesRegex(UserError, message):
                figure_runs.read_one(path)
