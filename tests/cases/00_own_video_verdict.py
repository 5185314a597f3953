"""A model of one's own films that has learned nothing is called that, and what lies beyond the window is measured."""

import pathlib
import subprocess
import sys
import tempfile

import numpy as np

from tests.data_builders.video_folder import made_films

with tempfile.TemporaryDirectory() as directory:
    source = pathlib.Path(directory, "films")
    source.mkdir()
    for number in range(6):
        columns = np.rint(24 + 20 * np.sin(0.2 * np.arange(90) + number)).astype(int)
        np.save(source / f"{number}.npy", np.stack([made_films.block(20, column) for column in columns]))
    command = [sys.executable, "-m", "experiments.hgn", "--config=video", f"--config.data.source={source}"]
    command += [f"--config.data.data_dir={directory}/data", f"--workdir={directory}/run"]
    lengths = {"num_steps": 2, "log_every": 1, "checkpoint_every": 2, "batch_size": 4}
    command += [f"--config.training.{field}={value}" for field, value in lengths.items()]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"FAULT: the run ends with {done.stderr[-2000:]}")
    if "The model is no better than a still image" not in done.stdout:
        sys.exit("FAULT: two steps of training are not called too few to learn anything")
    if any("no more" in line for line in done.stdout.splitlines() if "not measured" in line):
        sys.exit("FAULT: films of 90 frames are said to end with the window of 31")
print("OK")
