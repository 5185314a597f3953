"""Whoever trains a density of grades, labels or a column given twice is told what that does, before the training."""

import contextlib
import io
import sys
import tempfile

import numpy as np

from experiments.nhf.data import load_points
from experiments.run.presets import pick
from experiments.tasks import TASKS

draw = np.random.default_rng(7)
normal = draw.normal(size=300)
kinds = {
    "grades": (draw.integers(1, 6, 300), "discrete"),
    "labels": (draw.random(300) < 0.5, "discrete"),
    "copy": (normal, "a copy of"),
    "sum": (2 * normal - 1, "a copy in other units of"),
}
with tempfile.TemporaryDirectory() as directory:
    for kind, (column, word) in kinds.items():
        config = pick(TASKS["nhf"].presets, "file")
        config.data.path = f"{directory}/rows.npy"
        np.save(config.data.path, np.stack([normal, draw.normal(size=300), column], axis=1))
        with contextlib.redirect_stdout(io.StringIO()) as printed:
            load_points(config)
        if word not in printed.getvalue():
            sys.exit(f"FAULT: of a column of {kind} it is said only: {printed.getvalue()}")
print("OK")
