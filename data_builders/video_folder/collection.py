"""Reads the films of a directory into one store of frames, and tells the user how each was understood."""

import contextlib
import itertools
import pathlib
import sys
from typing import Any, NamedTuple

import numpy as np

from data_builders.caller import flag
from data_builders.errors import DatasetError
from data_builders.video_folder import motion, notes, timing, video_files, video_splits
from data_builders.video_folder.advice import Film, advise
from data_builders.video_folder.clips import Clip, UnreadableError
from data_builders.video_folder.repeats import Repeats
from data_builders.video_folder.video_folder_config import VideoFolderConfig
from data_builders.video_folder.video_splits import Video, count
from hgn_jax.errors import first_line
from hgn_jax.training.progress import progress_bar

_FRAMES_BETWEEN_UPDATES = {True: 100, False: 10_000}  # of the progress bar, on a terminal or not
_SAME_RATE = 1.01  # ratio of the rates of films up to which each keeps its own
_MOST_REPEATED = 10  # frames that a film may have at a constant rate, in units of those that it stores
_MAY_BE_REPEATED = 1000  # frames; up to this number all films may be filled up


class FrameStore:
    """Stores the resized frames of all films in one file, which may exceed the memory.

    Args:
      directory: Directory of the file.
      image_size: Number of pixels along a side of each frame.
    """

    def __init__(self, directory: str, image_size: int):
        self._path = pathlib.Path(directory, "frames")
        self._shape = (image_size, image_size, 3)
        self._file = self._path.open("wb")
        self.length = 0

    def append(self, frame: np.ndarray) -> None:
        """Appends a frame, uint8 `[size, size, 3]`; raises DatasetError if the disk is full."""
        try:
            self._file.write(frame.tobytes())
        except OSError as error:
            raise DatasetError(f"cannot write to {self._path.parent}: {error.strerror}") from None
        self.length += 1

    def read(self) -> np.ndarray:
        """Returns all frames, `[time, size, size, 3]`; none can be appended afterwards."""
        self._file.close()
        return np.memmap(self._path, np.uint8, "r", shape=(self.length, *self._shape))


class Films(NamedTuple):
    """The films of a directory.

    Attributes:
      videos: Those that hold at least one window.
      films: All that can be read.
      left_out: The reason for each other file or clip, by name.
      remarks: How files were understood, by name.
      rate: Number of frames per second; None if it is not known, or not the same in all films.
      moving: The part of the picture in which things move, if frames are cropped to it.
    """

    videos: list[Video]
    films: list[Film]
    left_out: dict[str, str]
    remarks: dict[str, str]
    rate: float | None
    moving: motion.Box | None


class _OpenFilm(NamedTuple):
    file: str  # path of its file, or common path of its pictures
    array: str  # the same with the name of the array
    clip: Clip


class Collector:
    """Reads the films of a directory.

    Args:
      config: The configuration.
      store: Takes the frames.
    """

    def __init__(self, config: VideoFolderConfig, store: FrameStore):
        self._config, self._store = config, store
        self._left_out: dict[str, str] = {}
        self._remarks: dict[str, list[str]] = {}
        self._videos: list[Video] = []
        self._films: list[Film] = []

    def collect(self) -> Films:
        """Reads all films and prints how; raises DatasetError if none can be used."""
        config = self._config
        names = video_files.list_files(config.source)
        units = self._units(names)
        films = self._open(units)
        rate = self._choose_rate(films)
        moving = self._find_moving_part(films, rate) if config.fit == "motion" else None
        self._read(films, rate, moving)
        used = {video.file for video in self._videos}
        number = sum(len(unit.files) for unit in units if unit.name in used)
        remarks = {name: "; ".join(texts) for name, texts in self._remarks.items() if texts}
        print(f"{number} of {count(len(names), 'file')} in {config.source} used", flush=True)
        for line in notes.lines(remarks):
            print(f"  {line}", flush=True)
        for line in notes.lines(self._left_out):
            print(f"  left out: {line}", flush=True)
        if not self._videos:
            raise DatasetError(
                f"no usable video among {count(len(names), 'file')} in {config.source}"
                f"{notes.on_one_line(self._left_out)}{advise(self._films, config) if self._films else ''}"
            )
        return Films(self._videos, self._films, self._left_out, remarks, rate, moving)

    def _units(self, names: list[str]) -> list[video_files.Unit]:
        for name in names:
            if video_files.is_hidden(name):
                self._left_out[name] = "is hidden"
            elif not _is_utf8(name):
                self._left_out[name.encode("utf-8", "backslashreplace").decode()] = "its name is not in UTF-8"
        names = [name for name in names if _is_utf8(name) and not video_files.is_hidden(name)]
        return video_files.find_units(self._config.source, names)

    def _open(self, units: list[video_files.Unit]) -> list[_OpenFilm]:
        """Opens all films, and notes which cannot be opened."""
        films = []
        with progress_bar(len(units), "opening films", "film") as bar:
            for unit in units:
                try:
                    clips, reasons = video_files.read_unit(self._config.source, unit, self._config.reading)
                except Exception as error:  # readers raise various types for a damaged file
                    clips, reasons = [], {"": _reason(error)}
                self._left_out |= {_joined(unit.name, array): reason for array, reason in reasons.items()}
                films += [_OpenFilm(unit.name, _joined(unit.name, clip.name), clip) for clip in clips]
                bar.update()
        return films

    def _choose_rate(self, films: list[_OpenFilm]) -> float | None:
        """Returns the number of frames that are taken per second, and prints it; None if no film tells its times."""
        rates = [film.clip.rate for film in films if film.clip.rate is not None]
        if self._config.timing == "real" and len(rates) < len(films):
            number = f"{len(films) - len(rates)} of {count(len(films), 'film')}"
            print(f"{number} without times are taken frame by frame, whatever the rate", flush=True)
        if not rates:
            return None
        slowest, fastest = min(rates), max(rates)
        rate = self._config.rate or slowest
        if self._config.rate is None and fastest > _SAME_RATE * slowest:
            print(
                f"Films have {slowest:.4g} to {fastest:.4g} frames per second; all are taken at {rate:.4g}, as the "
                f"slowest ({flag('rate', 'NUMBER')} for another)",
                flush=True,
            )
        else:
            print(f"Frames are taken at {rate:.4g} per second", flush=True)
        return rate

    def _rate_of(self, film: _OpenFilm, rate: float | None) -> float | None:
        """Returns the rate at which the frames of a film are taken; None for its own."""
        own = film.clip.rate
        if own is None or (self._config.rate is None and own <= _SAME_RATE * rate):
            return None
        return rate

    def _find_moving_part(self, films: list[_OpenFilm], rate: float | None) -> motion.Box | None:
        """Finds where things move in the films that are long enough, and prints it; None if there is no such film."""
        config, changes = self._config, []
        with progress_bar(len(films), "looking for motion", "film") as bar:
            for film in films:
                with contextlib.suppress(Exception):  # `_read` says which films cannot be read
                    frames = film.clip.frames_at(self._rate_of(film, rate))
                    change, num_frames = motion.changes(itertools.islice(frames, 0, None, config.frame_step))
                    changes += [change] if num_frames >= video_splits.shortest(config) else []
                bar.update()
        moving = motion.moving_part(changes)
        if changes and moving is None:
            raise DatasetError(
                f"fit=motion finds nothing that moves in the videos in {config.source}; try {flag('fit', 'stretch')}"
            )
        if moving is not None:
            left, top, right, bottom = (f"{edge:.0%}" for edge in moving)
            print(
                f"Things move from {left} to {right} of the width and from {top} to {bottom} of the height; frames are "
                "cropped to the square around that",
                flush=True,
            )
        return moving

    def _read(self, films: list[_OpenFilm], rate: float | None, moving: motion.Box | None) -> None:
        """Stores the frames of all films, and notes which are too short or damaged."""
        with progress_bar(len(films), "reading films", "film") as bar:
            for film in films:
                begin = self._store.length
                try:
                    num_frames = self._store_frames(film, self._rate_of(film, rate), moving, bar)
                except DatasetError:
                    raise
                except Exception as error:
                    self._left_out[film.array + film.clip.place] = _reason(error)
                    continue
                finally:
                    bar.update()
                video = Video(film.file, film.array + film.clip.place, begin, self._store.length - begin)
                self._films.append(Film(film.file, video.name, num_frames))
                if video.length >= video_splits.shortest(self._config):
                    self._videos.append(video)
                    self._remarks[film.array] = list(
                        dict.fromkeys(self._remarks.get(film.array, []) + film.clip.remarks)
                    )
                else:
                    self._left_out[film.array] = video_splits.too_short(num_frames, self._config)

    def _store_frames(self, film: _OpenFilm, rate: float | None, moving: motion.Box | None, bar: Any) -> int:
        """Stores the used frames of a film, resized; returns the number of all its frames."""
        config, clip = self._config, film.clip
        _note_repetitions(clip, rate)
        frames_between_updates = _FRAMES_BETWEEN_UPDATES[sys.stderr.isatty()]
        num_frames, size, repeats = 0, None, Repeats()
        for number, frame in enumerate(clip.frames_at(rate)):
            num_frames, size = number + 1, size or frame.shape[:2]
            if frame.shape[:2] != size:
                height, width = frame.shape[:2]
                raise UnreadableError(f"frame {number} is {height}x{width}, and the first is {size[0]}x{size[1]}")
            repeats.add(frame)
            if number % config.frame_step == 0:
                self._store.append(video_files.resize(frame, config.image_size, config.fit, moving))
                if self._store.length % frames_between_updates == 0:
                    bar.set_postfix_str(f"{film.array}, {self._store.length} frames so far")
        if repeats.number():
            clip.remark(f"{repeats.number()} of {num_frames} frames equal the one before, or nearly")
        return num_frames


def _note_repetitions(clip: Clip, rate: float | None) -> None:
    """Remarks on frames that are repeated or skipped at a constant rate; raises UnreadableError if that is absurd."""
    if clip.times is None:
        return
    numbers = timing.repetitions(clip.times, rate)
    taken, rate = int(numbers.sum()), rate or clip.rate
    if taken > max(_MOST_REPEATED * len(numbers), _MAY_BE_REPEATED):
        seconds = clip.times[-1] - clip.times[0]
        raise UnreadableError(
            f"its {len(numbers)} frames last {seconds:.4g} s, which are {taken} frames at {rate:.4g} per second; "
            f"{flag('timing', 'frames')} takes them one by one"
        )
    repeated, skipped = int(np.maximum(numbers - 1, 0).sum()), int((numbers == 0).sum())
    if not repeated and not skipped:
        return
    changes = f"its {len(numbers)} frames become {taken}: {repeated} repeated, {skipped} skipped"
    if (timing.repetitions(clip.times) == 1).all():
        clip.remark(f"has {clip.rate:.4g} frames per second; at {rate:.4g} {changes}")
    else:
        shortest, longest = np.diff(clip.times).min(), np.diff(clip.times).max()
        clip.remark(
            f"its timing is uneven, frames last {shortest:.3g} to {longest:.3g} s; at {rate:.4g} per second {changes}"
        )


def _joined(file: str, array: str) -> str:
    return f"{file}:{array}" if array else file


def _is_utf8(name: str) -> bool:
    try:
        name.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def _reason(error: Exception) -> str:
    """Returns an error in one line, without the path of the file."""
    return getattr(error, "strerror", None) or first_line(error.__cause__ or error)
