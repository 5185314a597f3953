"""The configuration of a data set of your own videos."""

import dataclasses
import operator
import os
import pathlib
from typing import Any

import tensorflow_datasets as tfds

from data_builders.configs import field_names
from data_builders.video_folder import video_files

SPLITS_BY = ("file", "clip", "time")


@dataclasses.dataclass(eq=False)
class VideoFolderConfig(tfds.core.BuilderConfig):
    """What determines a data set of videos. Treat as frozen; `Builder.derive_config` makes changed copies.

    Attributes:
      source: the directory of the videos, searched with its subdirectories.
      fingerprint: digest of the files in `source`, taken from them if empty. It stands for them: a directory that
        changes is another data set, and what was built from one that has gone is still found.
      num_steps: frames of a window after the first.
      image_size: pixels along a side.
      frame_step: every how many frames one is taken; 2 doubles the time between the frames of a window.
      stride: taken frames from the start of a window to the start of the next; num_steps + 1 for none in common.
      fit: how a frame becomes a square, `stretch` or `crop`.
      split_by: what is kept for testing: whole files (`file`), single clips of files that hold many (`clip`), or the
        end of every clip (`time`).
      test_fraction: the part of the files, clips or time that is kept for testing, at least one of each kind.
      split_seed: which files or clips these are.
    """

    source: str = ""
    fingerprint: str = ""
    num_steps: int = 30
    image_size: int = 32
    frame_step: int = 1
    stride: int = 10
    fit: str = "stretch"
    split_by: str = "file"
    test_fraction: float = 0.2
    split_seed: int = 0

    def __post_init__(self):
        for name, least in {"num_steps": 1, "image_size": 1, "frame_step": 1, "stride": 1, "split_seed": 0}.items():
            try:
                setattr(self, name, operator.index(getattr(self, name)))
            except TypeError as error:
                raise ValueError(f"{name}: cannot use {getattr(self, name)!r} ({error})") from None
            if getattr(self, name) < least:
                raise ValueError(f"{name} must be {least} or more, got {getattr(self, name)}")
        for name, allowed in {"fit": video_files.FITS, "split_by": SPLITS_BY}.items():
            if getattr(self, name) not in allowed:
                raise ValueError(f"{name} must be one of {', '.join(allowed)}; got {getattr(self, name)!r}")
        try:
            self.test_fraction = float(self.test_fraction)
        except (TypeError, ValueError) as error:
            raise ValueError(f"test_fraction: cannot use {self.test_fraction!r} ({error})") from None
        if not 0 < self.test_fraction < 1:
            raise ValueError(f"test_fraction must lie between 0 and 1, got {self.test_fraction}")
        if self.source:
            self.source = str(pathlib.Path(self.source).expanduser().resolve())
        if self.source and not self.fingerprint:
            self.fingerprint = current_fingerprint(self.source)
        if self.description is None:
            self.description = (
                f"Windows of {self.num_frames} frames, {self.image_size}x{self.image_size}, of videos"
                f"{f' in {self.source}' if self.source else ''}, split by {self.split_by}."
            )

    @property
    def num_frames(self) -> int:
        """Frames of a window."""
        return self.num_steps + 1

    def values(self) -> dict[str, Any]:
        """The fields that determine the data: the fingerprint, and not where the files with it are."""
        return {name: getattr(self, name) for name in field_names(self) if name != "source"}

    def num_trajectories(self) -> dict[str, int]:
        """Empty: how many windows there are is known when the files have been read, and is in the metadata then."""
        return {}

    def estimated_bytes(self) -> int:
        """Size on disk, roughly: that of the videos, which are larger in pixels and better compressed."""
        names = video_files.list_files(self.source) if os.path.isdir(self.source) else []
        paths = [pathlib.Path(self.source, name) for name in names]
        return sum(path.stat().st_size for path in paths if path.is_file())


def current_fingerprint(source: str) -> str:
    """The fingerprint of the files in a directory as they are; raises ValueError if they cannot be read."""
    try:
        if pathlib.Path(source).is_dir():
            return video_files.fingerprint(source)
    except OSError as error:
        raise ValueError(f"cannot read the videos in {source}: {error}") from None
    raise ValueError(
        f"the videos' directory {source} {'is a file' if pathlib.Path(source).exists() else 'is not there'}"
    )
