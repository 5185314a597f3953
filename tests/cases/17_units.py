"""A column in millimetres has a log-density smaller by log 1000 than one in metres; samples are in its units too."""

import csv
import math
import pathlib
import sys
import tempfile

import numpy as np

from experiments.nhf import sampling, units
from experiments.run.presets import pick
from experiments.run.program import execute
from experiments.run.run_directory import RunDirectory
from experiments.tasks import TASKS
from tests.experiments.tiny_runs import shrink

rows = np.random.default_rng(8).normal(size=(100, 3)) + 3  # pictures of planes take long
found = []
with tempfile.TemporaryDirectory() as folder:
    root = pathlib.Path(folder)
    for factor in (1, 1000):
        config = shrink(pick(TASKS["nhf"].presets, "file"), root)
        config.data.path = str(root / "rows.csv")
        np.savetxt(config.data.path, rows * [1, factor, 1], delimiter=",", header="a,b,c", comments="")
        run = RunDirectory(root / f"run_{factor}")
        test = execute(TASKS["nhf"], config, str(run.path)).test
        flow = sampling.read_flow(run)
        scored = units.read_rows(run, flow.columns, config.data.path)
        scores = sampling.write_scores(flow, scored, run, root / "scores.csv")
        found.append((test.tightest.mean, test.gaussian_log_prob.mean, scores.mean()))
        sampling.write_samples(flow, 100, 0, root / "samples.csv")
        with (root / "samples.csv").open(newline="") as file:
            names, *samples = csv.reader(file)
        middle = np.median(np.array(samples, float), axis=0) / [1, factor, 1]
        if names != ["a", "b", "c"] or np.abs(middle - 3).max() > 3:
            sys.exit(f"FAULT: samples of {names} are about {middle}")
for name, small, large in zip(("test rows", "Gaussian", "scores"), *found, strict=True):
    if abs(small - large - math.log(1000)) > 0.05:
        sys.exit(f"FAULT: the log-density of {name} falls by {small - large:.3f} and not by log 1000")
print("OK")
