"""Frames of films that exceed the memory are refused in one line, before anything is read."""

import pathlib
import subprocess
import sys
import tempfile

import numpy as np

with tempfile.TemporaryDirectory() as directory:
    source = pathlib.Path(directory, "films")
    source.mkdir()
    for number in range(2):
        np.save(source / f"{number}.npy", np.zeros((40, 8, 8), np.uint8))
    command = [sys.executable, "-m", "data_builders.build", "video_folder", f"--config.source={source}"]
    command += ["--config.image_size=1000000", f"--data_dir={directory}/data"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    *rest, last = done.stderr.strip().splitlines()
    if done.returncode != 1 or "image_size" not in last or "memory" not in last or "Traceback" in done.stderr:
        sys.exit(f"FAULT: status {done.returncode}: {done.stderr}")
    if list(pathlib.Path(directory, "data").rglob("*.array_record*")):
        sys.exit("FAULT: something was written")
print("OK")
