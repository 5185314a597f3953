"""A data set has the same bytes with JAX_ENABLE_X64=1 as without."""

import os
import pathlib
import subprocess
import sys
import tempfile

COMMAND = "data_builders.build two_body --config=small --config.num_train=4 --config.num_test=2 --config.num_steps=3"

with tempfile.TemporaryDirectory() as directory:
    records = []
    for value in ("0", "1"):
        root = pathlib.Path(directory, value)
        arguments = [sys.executable, "-m", *COMMAND.split(), f"--data_dir={root}", "--num_workers=1"]
        env = {**os.environ, "JAX_ENABLE_X64": value}
        done = subprocess.run(arguments, env=env, capture_output=True, text=True)
        if done.returncode:
            sys.exit(f"FAULT: JAX_ENABLE_X64={value}: {done.stderr[-1000:]}")
        records.append([path.read_bytes() for path in sorted(root.rglob("*array_record*"))])
    if records[0] != records[1] or not records[0]:
        sys.exit("FAULT: the data sets differ")
print("OK")
