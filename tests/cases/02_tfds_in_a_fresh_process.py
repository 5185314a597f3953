"""TFDS reads a data set of ours in a process that knows nothing of it; `tfds.load` after the import in the README."""

import importlib.util
import pathlib
import re
import subprocess
import sys
import tempfile

readme = pathlib.Path("README.md").read_text(encoding="utf-8")
needed = re.search(r"`tfds\.load`[^|]*`(import data_builders[.\w]+)`", readme)[1].replace("three_body", "pendulum")
functions = {"data_source": "", "load": needed}
if not importlib.util.find_spec("tensorflow"):
    print("tfds.load is not tried: it needs the extra [tfds]")
    functions.pop("load")

with tempfile.TemporaryDirectory() as directory:
    build = ["pendulum", "--config=small", "--max_examples_per_split=3", f"--data_dir={directory}"]
    subprocess.run([sys.executable, "-m", "data_builders.build", *build], check=True, capture_output=True)
    for function, before in functions.items():
        read = f"tensorflow_datasets.{function}('pendulum/small', split='train', data_dir={directory!r})"
        code = f"import tensorflow_datasets\n{before}\nassert len(list({read})) == 3"
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
        if done.returncode:
            sys.exit(f"FAULT: tfds.{function}: {done.stderr.strip().splitlines()[-1]}")
print("OK")
