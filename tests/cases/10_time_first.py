"""An array with its time first, as Moving MNIST's, is refused with the flag that reads it; what was read is printed."""

import pathlib
import subprocess
import sys
import tempfile

import numpy as np

random = np.random.default_rng(0)
clips = np.zeros((60, 20, 32, 32), np.uint8)  # films first
for film in clips:
    row, column = random.integers(0, 12, 2)
    for t, frame in enumerate(film):
        frame[row : row + 8, column + t // 2 : column + t // 2 + 8] = random.integers(200, 255)


def build(directory, array, *flags):
    source = pathlib.Path(directory, f"films{len(flags)}{array.shape[0]}")
    source.mkdir()
    np.save(source / "mnist.npy", array)
    command = [sys.executable, "-m", "data_builders.build", "video_folder", f"--config.source={source}", *flags]
    command += ["--config.split_by=clip", "--config.num_steps=19", f"--data_dir={directory}/data"]
    done = subprocess.run(command, capture_output=True, text=True)
    return done.returncode, done.stdout.partition("tfds.core.DatasetInfo")[0] + done.stderr


with tempfile.TemporaryDirectory() as directory:
    status, said = build(directory, clips)
    if status or "mnist.npy: axes=NTHW: 60 clips of 20 frames" not in said:
        sys.exit(f"FAULT: films first, status {status}: {said}")
    status, said = build(directory, clips.swapaxes(0, 1))
    if status != 1 or "--config.axes=TNHW" not in said.splitlines()[-1]:
        sys.exit(f"FAULT: time first, status {status}: {said}")
    status, said = build(directory, clips.swapaxes(0, 1), "--config.axes=TNHW")
    if status or "mnist.npy: axes=TNHW: 60 clips of 20 frames" not in said:
        sys.exit(f"FAULT: time first and named, status {status}: {said}")
print("OK")
