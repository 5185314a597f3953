"""Tests of `experiments.run.run_directory`."""

import json
import pathlib
import subprocess
import sys

from absl.testing import absltest, parameterized

from experiments.hgn import presets
from experiments.run.command_line import UserError
from experiments.run.run_directory import RunDirectory, lock, open_run, read_config, write_config, write_json
from tests.root import ROOT


class RunDirectoryTest(parameterized.TestCase):
    def setUp(self):
        super().setUp()
        self.directory = pathlib.Path(self.create_tempdir().full_path)

    @parameterized.parameters(*presets.PRESETS)
    def test_configuration_round_trip(self, name):
        run = open_run(self.directory / "new" / "run", presets.get(name))
        self.assertFalse(run.path.exists())  # until it is locked
        with lock(run):
            write_config(run, presets.get(name))
        self.assertEqual(read_config(run, presets.Config), presets.get(name))

    def test_the_same_configuration_goes_on(self):
        config = presets.get("pendulum_small")
        write_config(open_run(self.directory, config), config)
        config.data.data_dir = "/elsewhere"  # where the data lie does not make another run
        self.assertEqual(open_run(self.directory, config).path, self.directory)

    def test_another_configuration_is_refused_with_the_difference(self):
        config = presets.get("pendulum_small")
        write_config(open_run(self.directory, config), config)
        config.integrator, config.training.batch_size = "euler", 32
        message = (
            "config.integrator was leapfrog, now euler; config.training.batch_size was 16, now 32.*another --workdir"
        )
        with self.assertRaisesRegex(UserError, message):
            open_run(self.directory, config)

    def test_a_directory_of_something_else_is_refused(self):
        (self.directory / "thesis.tex").write_text("")
        with self.assertRaisesRegex(UserError, "no config.json"):
            open_run(self.directory, presets.get("pendulum"))

    def test_a_place_that_cannot_be_written_is_refused(self):
        (self.directory / "file").write_text("")
        with self.assertRaisesRegex(UserError, "cannot write to --workdir=.*file/run: "):
            open_run(self.directory / "file" / "run", presets.get("pendulum"))

    def test_one_process_at_a_time(self):
        config = presets.get("pendulum")
        run = open_run(self.directory, config)
        program = (
            "import pathlib, sys, time\n"
            "from experiments.run.run_directory import RunDirectory, lock\n"
            "with lock(RunDirectory(pathlib.Path(sys.argv[1]))):\n"
            "    print('locked', flush=True)\n"
            "    time.sleep(60)\n"
        )
        root = ROOT
        other = subprocess.Popen([sys.executable, "-c", program, run.path], stdout=subprocess.PIPE, cwd=root)
        self.assertEqual(other.stdout.readline(), b"locked\n")
        with self.assertRaisesRegex(UserError, "another process is at work in --workdir="), lock(run):
            pass
        other.kill()
        other.communicate()
        with lock(run):
            pass
        open_run(self.directory, config)  # what the lock leaves is no run of something else

    @parameterized.parameters(
        ("", "no run in"), ("{", "is damaged"), ('{"colour": 1}', "unknown field colour"), ("[]", "not a configuration")
    )
    def test_configurations_that_cannot_be_read(self, text, message):
        run = RunDirectory(self.directory)
        if text:
            run.config.write_text(text)
        with self.assertRaisesRegex(UserError, message):
            read_config(run, presets.Config)

    def test_json_is_written_whole_or_not_at_all(self):
        path = self.directory / "metrics.json"
        write_json(path, {"mse": 1.0})
        with self.assertRaises(TypeError):
            write_json(path, {"mse": object()})
        self.assertEqual(json.loads(path.read_text()), {"mse": 1.0})


if __name__ == "__main__":
    absltest.main()
