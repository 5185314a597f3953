"""With JAX_ENABLE_X64=1 a data set has the same bytes, and a flow is trained and measured with the same numbers."""

import json
import os
import pathlib
import subprocess
import sys
import tempfile

BUILD = "data_builders.build two_body --config=small --config.num_train=4 --config.num_test=2 --config.num_steps=3"
TRAIN = (
    "experiments.nhf --config.training.num_steps=2 --config.training.log_every=1 --config.training.checkpoint_every=2"
)
TRAIN += " --config.training.checkpoint_every=2 --config.evaluation.num_samples=1 --config.evaluation.num_points=50"

with tempfile.TemporaryDirectory() as directory:
    for value in ("0", "1"):
        root = pathlib.Path(directory, value)
        for command in (f"{BUILD} --data_dir={root}/data --num_workers=1", f"{TRAIN} --workdir={root}/run"):
            arguments = [sys.executable, "-m", *command.split()]
            done = subprocess.run(
                arguments, env={**os.environ, "JAX_ENABLE_X64": value}, capture_output=True, text=True
            )
            if done.returncode:
                sys.exit(f"FAULT: JAX_ENABLE_X64={value} {command}: {done.stderr[-1000:]}")
    records = [sorted(pathlib.Path(directory, value, "data").rglob("*array_record*")) for value in "01"]
    if [path.read_bytes() for path in records[0]] != [path.read_bytes() for path in records[1]] or not records[0]:
        sys.exit("FAULT: the data sets differ")
    results = [json.loads(pathlib.Path(directory, value, "run", "metrics.json").read_text())["test"] for value in "01"]
    if results[0] != results[1]:
        sys.exit("FAULT: the results differ")
print("OK")
