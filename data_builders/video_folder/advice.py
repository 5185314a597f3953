"""Advice where films are too few or too short: only what works when it is followed, with the windows that it gives."""

import dataclasses
import itertools
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from data_builders import caller
from data_builders.errors import DatasetError
from data_builders.video_folder import video_splits
from data_builders.video_folder.video_folder_config import SPLITS_BY, VideoFolderConfig
from data_builders.video_folder.video_splits import Video

_MOST = 3  # pieces of advice


class Film(NamedTuple):
    """A film that can be read, however short.

    Attributes:
      file: Path of its file, relative to the directory of the films.
      name: The file and, if it holds several, the clip in it.
      length: Number of its frames.
    """

    file: str
    name: str
    length: int


def number_of_windows(films: Iterable[Film], config: VideoFolderConfig) -> dict[str, int]:
    """Returns the number of windows of each split that a configuration cuts; 0 if the films cannot be split."""
    videos = [Video(film.file, film.name, 0, -(-film.length // config.frame_step)) for film in films]
    videos = [video for video in videos if video.length >= video_splits.shortest(config)]
    try:
        splits = video_splits.split(videos, config)
    except DatasetError:
        return {"train": 0, "test": 0}
    return {split: len(video_splits.windows(part, config, split == "test")) for split, part in splits.items()}


def advise(films: Iterable[Film], config: VideoFolderConfig) -> str:
    """Returns what the user can do for the windows that the calling program needs, to follow a description of the lack.

    Args:
      films: All films that can be read.
      config: The configuration, which cuts too few.
    """
    films, program = list(films), caller.current()
    advice = list(itertools.islice(_advice(films, config, program), _MOST))
    if not advice:
        return "; more films are needed, or longer ones"
    return f"; try {', or '.join(advice)}, or add films"


def _advice(films: list[Film], config: VideoFolderConfig, program: caller.Caller) -> Iterator[str]:
    windows = number_of_windows(films, config)
    testable = windows["test"] >= program.num_test
    if testable and windows["train"]:
        yield program.flag("batch_size", windows["train"])
    for alternatives in _changes(films, config, program):
        outcomes = [(each, number_of_windows(films, dataclasses.replace(config, **each))) for each in alternatives]
        outcomes = [(each, found) for each, found in outcomes if found["test"] >= program.num_test and found["train"]]
        enough = [(each, found) for each, found in outcomes if found["train"] >= program.batch_size]
        if enough or (outcomes and not testable):
            change, found = enough[0] if enough else outcomes[0]
            flags = [program.flag(field, value) for field, value in change.items()]
            flags += [] if enough else [program.flag("batch_size", found["train"])]
            yield f"{' '.join(flags)}, which cuts {_described(found)}"


def _changes(films: list[Film], config: VideoFolderConfig, program: caller.Caller) -> Iterator[list[dict[str, Any]]]:
    """Yields lists of changes that may cut more windows; each begins with the change that is least."""
    units = len({film.file if config.split_by == "file" else film.name for film in films})
    fractions = (round(number / units, 2) for number in range(1, units))
    splits = SPLITS_BY[SPLITS_BY.index(config.split_by) + 1 :]
    shorter = range(config.num_steps - 1, program.num_frames - 2, -1)
    yield [{"stride": stride} for stride in range(config.stride - 1, 0, -1)]
    yield [{"split_by": unit} for unit in splits]
    yield [{"test_fraction": fraction} for fraction in fractions if fraction > config.test_fraction]
    yield [{"num_steps": num_steps} for num_steps in shorter]
    yield [{"frame_step": frame_step} for frame_step in range(config.frame_step - 1, 0, -1)]
    if units < 2:  # shorter windows alone do not help
        yield [{"split_by": unit, "num_steps": num_steps} for unit in splits for num_steps in shorter]


def _described(windows: Mapping[str, int]) -> str:
    return f"{video_splits.count(windows['train'], 'window')} for training and {windows['test']} for testing"
