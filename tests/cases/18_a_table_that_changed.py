"""Rows that are added to a table after the training are noticed by every program, and its path is kept absolute."""

import os
import pathlib
import subprocess
import sys
import tempfile

import numpy as np

from tests.root import ROOT

SIZES = {"batch_size": 8, "num_steps": 2, "log_every": 1, "checkpoint_every": 2}
FLAGS = ["--config=file", "--config.data.path=rows.csv", "--config.num_links=1", "--config.hidden_sizes=8"]
FLAGS += ["--config.posterior_sizes=8", "--config.evaluation.num_samples=1"]
FLAGS += [f"--config.training.{name}={value}" for name, value in SIZES.items()]


def run(folder, program, *flags):
    command = [sys.executable, "-m", f"experiments.{program}", *flags]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    return done.returncode, done.stdout + done.stderr


def require(good, output):
    if not good:
        sys.exit(f"FAULT: {output}")


with tempfile.TemporaryDirectory() as folder:
    table, workdir = pathlib.Path(folder, "rows.csv"), pathlib.Path(folder, "run")
    rows = np.random.default_rng(9).normal(size=(80, 3))  # pictures of planes take long
    np.savetxt(table, rows, delimiter=",", header="x,y,z", comments="")
    train = ("nhf", *FLAGS, f"--workdir={workdir}")
    status, output = run(folder, *train)
    require(status == 0, output)
    status, output = run("/", "evaluate", f"--workdir={workdir}")
    require(status == 0, output)
    before = (workdir / "metrics.json").read_text()
    np.savetxt(table, np.concatenate([rows, rows[:30] + 9]), delimiter=",", header="x,y,z", comments="")
    for command in (train, ("evaluate", f"--workdir={workdir}")):
        status, output = run(folder, *command)
        require(status == 2 and "changed since the training" in output, output)
        require((workdir / "metrics.json").read_text() == before, f"{command[0]} overwrites metrics.json")
    np.savetxt(table.with_name("kept.csv"), rows, delimiter=",", header="x,y,z", comments="")
    status, output = run("/", "evaluate", f"--workdir={workdir}", f"--source={table.with_name('kept.csv')}")
    require(status == 0, output)
print("OK")
