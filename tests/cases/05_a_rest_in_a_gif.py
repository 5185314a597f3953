"""Writers of GIF merge equal frames into one of longer delay; the rest comes back as long as it was."""

import pathlib
import sys
import tempfile

import imageio.v3 as imageio
import numpy as np

from data_builders.video_folder import video_files
from tests.data_builders.video_folder import made_films

with tempfile.TemporaryDirectory() as directory:
    path = pathlib.Path(directory, "film.gif")
    for rest in (2, 9, 30):
        places = np.concatenate([np.arange(10), np.full(rest, 9), np.arange(9, 20)])
        imageio.imwrite(path, made_films.moving(21, 2)[places], duration=40, loop=0)
        [clip], _ = video_files.read_clips(path)
        if made_films.numbers(list(clip.frames), 2) != places.tolist():
            sys.exit(f"FAULT: a rest of {rest} frames is read as another")
print("OK")
