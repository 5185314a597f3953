"""Divides the frames of videos between training and testing, and cuts them into windows."""

import operator
from typing import NamedTuple

import numpy as np

from data_builders.errors import DatasetError
from data_builders.video_folder.video_folder_config import VideoFolderConfig

TOO_SHORT = "too short"  # begins the reason why such a video is left out


class Video(NamedTuple):
    """Consecutive frames of a clip.

    Attributes:
      file: Path of its file, relative to the directory of the videos.
      name: The file and, if it holds several, the clip in it.
      begin: Index of its first frame among the used frames of all files.
      length: Number of its frames.
      first_frame: Index of its first frame among the used frames of the clip.
    """

    file: str
    name: str
    begin: int
    length: int
    first_frame: int = 0


def shortest(config: VideoFolderConfig) -> int:
    """Returns the number of used frames that a video must have."""
    return config.num_frames * (2 if config.split_by == "time" else 1)


def too_short(num_frames: int, config: VideoFolderConfig) -> str:
    """Returns the reason why a video with this number of frames cannot be used."""
    used = f" of which one in {config.frame_step} is taken" if config.frame_step > 1 else ""
    needed = f"a window has {config.num_frames}"
    if config.split_by == "time":
        needed = f"split_by=time needs two windows of {config.num_frames}"
    return f"{TOO_SHORT}: {count(num_frames, 'frame')}{used}, and {needed}"


def windows(videos: list[Video], config: VideoFolderConfig, to_the_end: bool = False) -> list[tuple[Video, int]]:
    """Returns the windows of videos: each is a video and the index of the window's first frame in it.

    Args:
      videos: The videos.
      config: The configuration.
      to_the_end: Whether the last window of each video ends with its last frame, less than a stride after the one
        before.
    """
    found = []
    for video in videos:
        last = video.length - config.num_frames
        starts = list(range(0, last + 1, config.stride))
        if to_the_end and starts[-1] < last:
            starts.append(last)
        found += [(video, start) for start in starts]
    return found


def split(videos: list[Video], config: VideoFolderConfig) -> dict[str, list[Video]]:
    """Divides videos between the splits `train` and `test`; raises DatasetError if there are too few."""
    if not videos:
        raise DatasetError(f"no usable video in {config.source}")
    if config.split_by == "time":
        return _split_by_time(videos, config)
    key = operator.attrgetter("file" if config.split_by == "file" else "name")
    units = sorted({key(video) for video in videos})
    if len(units) < 2:
        raise DatasetError(f"only one usable {config.split_by} in {config.source}, {units[0]}, and it cannot be split")
    num_test = min(max(1, round(config.test_fraction * len(units))), len(units) - 1)
    chosen = {units[i] for i in np.random.default_rng(config.split_seed).permutation(len(units))[:num_test]}
    return {
        "train": [video for video in videos if key(video) not in chosen],
        "test": [video for video in videos if key(video) in chosen],
    }


def _split_by_time(videos: list[Video], config: VideoFolderConfig) -> dict[str, list[Video]]:
    """Keeps the beginning of every video for training and its end for testing; no frame is in both."""
    splits = {"train": [], "test": []}
    for video in videos:
        num_test = max(round(config.test_fraction * video.length), config.num_frames)
        num_train = max(video.length - num_test, config.num_frames)
        splits["train"].append(video._replace(length=num_train))
        rest = {"begin": video.begin + num_train, "length": video.length - num_train, "first_frame": num_train}
        splits["test"].append(video._replace(**rest))
    return splits


def count(number: int, noun: str) -> str:
    """Returns a number with its noun: `1 file`, `2 files`."""
    return f"{number} {noun}{'' if number == 1 else 's'}"
