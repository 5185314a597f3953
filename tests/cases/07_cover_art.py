"""The picture on the cover of a film is not the film, whether its container says so or not."""

import pathlib
import sys
import tempfile

import av
import numpy as np

from data_builders.video_folder import video_files
from tests.data_builders.video_folder import made_films


def write(path, attached):
    with av.open(str(path), "w") as container:
        cover, film = (container.add_stream(codec, rate=30) for codec in ("mjpeg", "libx264"))
        cover.height, cover.width, cover.pix_fmt = 96, 96, "yuvj420p"
        film.height, film.width, film.pix_fmt = *made_films.SIZE, "yuv420p"
        if attached:
            cover.disposition = av.stream.Disposition.attached_pic
        pictures = [(cover, np.full((96, 96, 3), 90, np.uint8)), *((film, frame) for frame in made_films.moving(40))]
        for stream, picture in pictures:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux([*cover.encode(), *film.encode()])


with tempfile.TemporaryDirectory() as directory:
    for ending in ("mp4", "mkv", "mov"):
        for attached in (False, True):
            path = pathlib.Path(directory, f"film_{attached}.{ending}")
            write(path, attached)
            frames = list(video_files.read_clips(path)[0][0].frames)
            if made_films.numbers(frames) != list(range(40)):
                sys.exit(f"FAULT: {path.name} is read as {len(frames)} frames of {frames[0].shape}")
print("OK")
