"""Tests of `experiments.table1` and `experiments.comparison.rows`."""

import dataclasses
import pathlib
import sys

from absl.testing import parameterized

from experiments import table1
from experiments.clips.results import Errors
from experiments.comparison import rows as comparison
from experiments.comparison.rows import PAPER_ROWS, ROWS, SYSTEMS
from experiments.run.command_line import UserError
from experiments.run.presets import pick
from experiments.run.results import write_results
from experiments.run.run_directory import RunDirectory, write_config
from experiments.tasks import TASKS
from tests.experiments.made_up_results import results, split_errors


def _results(mse, num_examples=500):
    def fields(mse):
        return {"mse": mse, "mse_std": mse / 10, "mse_per_step": [mse] * 31}

    levels = {"mean_image": 4e-3, "first_frame": 7e-3, "noise_floor": 1e-3}
    references = {name: Errors(**fields(level)) for name, level in levels.items()}
    split = split_errors(**fields(mse), reference=references, num_examples=num_examples)
    return results(train=split, test=dataclasses.replace(split, mse=2 * mse))


class TableTest(parameterized.TestCase):
    def setUp(self):
        super().setUp()
        self.directory = pathlib.Path(self.create_tempdir().full_path)

    def _run(self, name, system, mse=1.5e-3, num_examples=500, **changes):
        row = ROWS[name]
        config = pick(TASKS[row.program].presets, comparison.preset(row, system, "small"))
        for field, value in row.changes.items():
            setattr(config, field, value)
        for field, value in changes.items():
            setattr(config.data, field, value)
        run = RunDirectory(self.directory / f"{system}_{name}_{len(list(self.directory.iterdir()))}")
        run.path.mkdir()
        write_config(run, config)
        write_results(run.metrics, _results(mse, num_examples))
        return str(run.path)

    @parameterized.product(name=list(ROWS), system=SYSTEMS)
    def test_a_run_is_recognised_by_its_configuration(self, name, system):
        runs = comparison.read_runs([self._run(name, system)])
        self.assertEqual(list(runs), [(system, name)])

    def test_runs_that_are_left_out_are_named_with_the_reason(self):
        flow, unfinished = RunDirectory(self.directory / "flow"), self._run("hnn", "pendulum")
        flow.path.mkdir()
        write_config(flow, TASKS["nhf"].presets["four_modes"])
        (pathlib.Path(unfinished) / "metrics.json").unlink()
        reasons = comparison.left_out([str(flow.path), unfinished, self._run("hgn_leapfrog", "pendulum")])
        no_frames, not_finished = reasons
        self.assertIn("nhf is no model of frames", no_frames)
        self.assertEqual(reasons, {no_frames: [str(flow.path)], "not finished": [unfinished]})

    def test_other_runs_are_left_out(self):
        config = pick(TASKS["hgn"].presets, "pendulum_small")
        config.hamiltonian = "joint"
        self.assertIsNone(comparison.find_row(config))
        self.assertIsNone(comparison.find_row(TASKS["hnn"].presets["pendulum_state"]))
        unfinished = self._run("hnn", "pendulum")
        (pathlib.Path(unfinished) / "metrics.json").unlink()
        self.assertEmpty(comparison.read_runs([unfinished]))

    def test_numbers_stand_where_they_belong(self):
        paths = [self._run("hgn_leapfrog", "two_body", 1.234e-3), self._run("hnn", "mass_spring", 9e-3)]
        head, *lines = table1.table(comparison.read_runs(paths)).lines
        self.assertEqual(head, ["", "split", "mass-spring", "pendulum", "two-body", "three-body"])
        self.assertLen(lines, 2 * (len(PAPER_ROWS) + 3) + len(PAPER_ROWS))
        rows = {tuple(line[:2]): line[2:] for line in lines}
        self.assertEqual(rows["HGN (leapfrog)", "train"], ["missing", "missing", "12.34 ± 1.23 (0.900)", "missing"])
        self.assertEqual(rows["HGN (leapfrog)", "test"][2], "24.68 ± 1.23 (0.900)")
        self.assertEqual(rows["HNN", "train"][0], "90.00 ± 9.00 (0.900)")
        self.assertEqual(rows["noise floor", "test"], ["10.00 ± 1.00", "missing", "10.00 ± 1.00", "missing"])
        self.assertEqual(rows["HNN", "test, published"], ["104.37", "64.62", "78.9", "57.54"])
        self.assertEqual(rows["HGN (determ)", "test, published"][0], "3.07 ± 1.06")

    def test_later_models_stand_below_those_of_the_paper(self):
        paths = [self._run(name, "pendulum") for name in ("hgn_anchored", "hgn_plus_plus", "hgn_leapfrog")]
        _, *lines = table1.table(comparison.read_runs(paths)).lines
        train = [line[0] for line in lines if line[1] == "train"]
        self.assertEqual(train[len(PAPER_ROWS) - 1 :][:3], ["HGN (leapfrog)", "HGN++", "HGN (anchored)"])
        published = [line[0] for line in lines if line[1] == "test, published"]
        self.assertEqual(published, [row.label for row in PAPER_ROWS.values()])

    @parameterized.parameters({"refinement_steps": 0}, {"state_channels": 2}, {"friction": 0.1})
    def test_a_part_of_the_anchored_model_is_another_model(self, **changes):
        config = dataclasses.replace(TASKS["hgn"].presets["mass_spring_anchored"], **changes)
        TASKS["hgn"].validate(config)
        self.assertIsNone(comparison.find_row(config))

    @parameterized.parameters(
        ({"observation_noise": 0.05}, "observation_noise is None in the first and 0.05 in the second"),
        ({"num_steps": 20}, "num_steps is None in the first and 20 in the second"),
        ({"num_examples": 100}, "evaluation.num_examples is 500 in the first and 100 in the second"),
    )
    def test_different_data_are_refused(self, changes, message):
        paths = [self._run("hgn_leapfrog", "pendulum"), self._run("hgn_euler", "pendulum", **changes)]
        with self.assertRaisesRegex(UserError, f"cannot stand in one table: {message}"):
            comparison.read_runs(paths)
        self._run("hgn_euler", "two_body", **changes)  # those of another system may differ

    def test_two_runs_of_one_model_are_refused(self):
        paths = [self._run("hnn", "pendulum"), self._run("hnn", "pendulum")]
        with self.assertRaisesRegex(UserError, "are both HNN of pendulum"):
            comparison.read_runs(paths)

    @parameterized.parameters("small", "paper")
    def test_commands_make_the_rows_that_they_are_for(self, scale):
        commands = table1.commands(scale, self.directory, ["--config.training.seed=3"])
        self.assertLen(commands, len(PAPER_ROWS) * len(SYSTEMS))
        for workdir, (_, _, program, preset, *overrides) in commands.items():
            task = TASKS[program.removeprefix("experiments.")]
            config = pick(task.presets, preset.removeprefix("--config="))
            for override in overrides:
                field, _, value = override.removeprefix("--config.").partition("=")
                if hasattr(config, field):
                    kind = type(getattr(config, field) or 0)
                    setattr(config, field, value == "True" if kind is bool else kind(value))
            self.assertEqual(f"{config.data.name}_{comparison.find_row(config)}", workdir.name)
            self.assertIn("--config.training.seed=3", overrides)
            self.assertEqual(overrides[-1], f"--workdir={workdir}")
            steps = [override for override in overrides if "num_steps" in override]
            self.assertLen(steps, scale == "small")

    def test_estimate_adds_up_the_steps_of_all_runs(self):
        asked = []

        def seconds_per_step(config):
            asked.append(comparison.find_row(config))
            return 0.5

        *rows, total = table1.estimate("paper", seconds_per_step)
        self.assertEqual(asked, list(PAPER_ROWS))
        steps = {name: TASKS[name].presets["pendulum"].training.num_steps for name in ("hgn", "hnn")}
        self.assertEqual(steps, {"hgn": 500_000, "hnn": 15_000})
        self.assertEqual(rows[0], "HNN: 0.5 s per step, 60000 steps: 8.3 hours")
        self.assertEqual(rows[-1], "HGN (leapfrog): 0.5 s per step, 2000000 steps: 11.6 days")
        self.assertEqual(
            total, f"28 runs, one after the other: {4 * 0.5 * (5 * 5e5 + 2 * 15e3) / 86400:.1f} days of training"
        )

    def test_estimate_of_the_small_scale_takes_the_steps_of_its_runs(self):
        commands = table1.commands("small", self.directory)
        steps = [
            int(flag.rpartition("=")[2]) for command in commands.values() for flag in command if "num_steps" in flag
        ]
        total = table1.estimate("small", lambda config: 0.06)[-1]
        self.assertEqual(total, f"28 runs, one after the other: {0.06 * sum(steps) / 60:.1f} minutes of training")

    def test_trains_unfinished_runs_and_stops_at_the_first_failure(self):
        def write(name):
            path = self.directory / name
            program = (
                "import pathlib, sys; p = pathlib.Path(sys.argv[1]); p.mkdir()\n(p / 'metrics.json').write_text('new')"
            )
            return path, [sys.executable, "-c", program, str(path)]

        finished, command = write("finished")
        finished.mkdir()
        (finished / "metrics.json").write_text("old")
        fails = self.directory / "fails", [sys.executable, "-c", "raise SystemExit(2)"]
        with self.assertRaisesRegex(UserError, "fails ended with exit status 2"):
            table1.train(dict([(finished, command), write("first"), fails, write("never")]))
        self.assertEqual((finished / "metrics.json").read_text(), "old")
        self.assertEqual((self.directory / "first" / "metrics.json").read_text(), "new")
        self.assertFalse((self.directory / "never").exists())
