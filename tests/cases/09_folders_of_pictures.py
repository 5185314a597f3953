"""Folders of numbered pictures are films, in the order of the numbers; so are stacks, and containers of any ending."""

import pathlib
import shutil
import subprocess
import sys
import tempfile

from PIL import Image

from data_builders.video_folder import video_files
from tests.data_builders.video_folder import made_films

with tempfile.TemporaryDirectory() as directory:
    source = pathlib.Path(directory, "films")
    for run in range(3):
        (source / f"run{run}").mkdir(parents=True)
        for number, frame in enumerate(made_films.moving(40)):
            Image.fromarray(frame).save(source / f"run{run}" / f"frame{number + 1}.png")
    command = [sys.executable, "-m", "data_builders.build", "video_folder", f"--config.source={source}"]
    done = subprocess.run([*command, f"--data_dir={directory}/data"], capture_output=True, text=True)
    said = done.stdout.partition("tfds.core.DatasetInfo")[0]
    if done.returncode or "120 of 120 files" not in said or said.count(".png") > 3:
        sys.exit(f"FAULT: status {done.returncode}: {said}{done.stderr[-500:]}")
    frames = list(video_files.read_clips(source / "run1")[0][0].frames)
    if made_films.numbers(frames) != list(range(40)):
        sys.exit("FAULT: pictures are not in the order of their numbers")
    film = made_films.write(source / "film.mp4", made_films.moving(40))
    for ending in ("m4v", "mpg", "mts", "MOV", "dat"):
        copy = shutil.copy(film, source / f"copy.{ending}")
        if made_films.numbers(list(video_files.read_clips(copy)[0][0].frames)) != list(range(40)):
            sys.exit(f"FAULT: a film that ends in {ending} is not read")
print("OK")
