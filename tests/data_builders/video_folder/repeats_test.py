"""Tests of counting repeated frames, in films that are stored exactly and in films compressed with loss."""

import numpy as np
import pytest

from data_builders.video_folder.repeats import Repeats
from data_builders.video_folder.video_files import read_clips
from tests.data_builders.video_folder import made_films


def number(frames):
    repeats = Repeats()
    for frame in frames:
        repeats.add(frame)
    return repeats.number()


@pytest.mark.parametrize("places", [[], [5], [2, 9, 14], range(1, 20, 2)])
@pytest.mark.parametrize("codec", ["", "libx264", "mpeg4", "libvpx-vp9"])
def test_repeated_frames_are_counted(tmp_path, places, codec):
    times = np.arange(20)
    for place in places:
        times[place] = times[place - 1]
    texture = np.random.default_rng(0).integers(0, 60, (*made_films.SIZE, 3), np.uint8)
    frames = np.maximum(made_films.moving(20, 2), texture)[times]
    if codec:
        ending = "webm" if codec == "libvpx-vp9" else "mp4"
        path = made_films.write(tmp_path / f"film.{ending}", frames, codec)
        frames = list(read_clips(path)[0][0].frames)
    assert number(frames) == np.sum(np.diff(times) == 0)


def test_a_rest_is_counted_where_nothing_is_lost():
    assert number(made_films.moving(6)[[0, 1, 1, 1, 1, 2, 3]]) == 3


def test_frames_that_were_repeated_to_fill_time_are_not_counted_again():
    frames = list(made_films.moving(6))
    assert number([frames[0], frames[0], frames[1], frames[1], frames[2]]) == 0


def test_smooth_motion_that_turns_back_repeats_nothing():
    grey = np.zeros((*made_films.SIZE, 3)) + 100 + 80 * np.linspace(-1, 1, 64)[:, None]
    frames = [np.rint(grey * (1 + 0.3 * np.sin(0.21 * t))).astype(np.uint8) for t in range(90)]
    assert number(frames) == 0
