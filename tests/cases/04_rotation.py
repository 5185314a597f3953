"""A portrait film of a phone, stored lying, stands upright; the build says that it turned it."""

import pathlib
import subprocess
import sys
import tempfile

from data_builders.video_folder import video_files
from tests.data_builders.video_folder import made_films

with tempfile.TemporaryDirectory() as directory:
    source = pathlib.Path(directory, "films")
    source.mkdir()
    made_films.write(source / "lying.mp4", made_films.moving(40))
    made_films.write(source / "portrait.mp4", made_films.moving(40), matrix=(0, 1, -1, 0))
    frame = next(video_files.read_clips(source / "portrait.mp4")[0][0].frames)
    row, column = made_films.centre(frame)
    if frame.shape != (64, 48, 3) or abs(row - 7.5) > 1 or abs(column - 39.5) > 1:
        sys.exit(f"FAULT: a frame of {frame.shape} has the block, once at the upper left, at {row}, {column}")
    command = [sys.executable, "-m", "data_builders.build", "video_folder", f"--config.source={source}"]
    done = subprocess.run([*command, f"--data_dir={directory}/data"], capture_output=True, text=True)
    if done.returncode or "portrait.mp4: is rotated" not in done.stdout:
        sys.exit(f"FAULT: status {done.returncode}, and nothing is said about the rotation: {done.stdout}{done.stderr}")
print("OK")
