"""The configuration of a data set of your own videos."""

import dataclasses
import math
import operator
import os
import pathlib
from typing import Any

import tensorflow_datasets as tfds
from PIL import ImageColor

from data_builders.configs import field_names
from data_builders.video_folder import video_files
from data_builders.video_folder.clips import Reading
from hgn_jax.memory import Need

SPLITS_BY = ("file", "clip", "time")
TIMINGS = ("real", "frames")


@dataclasses.dataclass(eq=False)
class VideoFolderConfig(tfds.core.BuilderConfig):
    """Everything that determines a data set of videos. Treat as frozen; `Builder.derive_config` makes changed copies.

    Attributes:
      source: Directory of the videos; its subdirectories are searched too.
      fingerprint: Digest of the files in `source`, computed if empty. It identifies the data set: a directory that
        changes is another data set, and a data set is still found when its directory has gone.
      num_steps: Number of frames of a window after the first.
      image_size: Number of pixels along a side.
      frame_step: Interval between the frames that are used; 2 doubles the time between the frames of a window.
      stride: Number of used frames from the start of a window to the start of the next; with num_steps + 1 windows do
        not overlap.
      fit: Method by which a frame becomes a square: `stretch`, `crop` to the middle, or `motion`, which crops all
        frames to where things move in any of the videos.
      timing: `real`, where frames are taken at a constant rate by the times of the file, or `frames`, where they are
        taken one by one.
      rate: Number of frames to take per second of films that tell their times; None for that of the slowest film.
      axes: Order of the axes of arrays, of the letters N, T, H, W, C for clips, time, height, width and colours; empty
        to infer it.
      range: Values of black and of white, such as `0,4095`, in arrays and in pictures of more than 8 bits; empty for
        0 to 255, or 0 to 1 in floats and masks.
      backdrop: Colour behind what is transparent, a name, `#rrggbb` or three numbers from 0 to 255.
      split_by: Unit that is kept for testing: whole files (`file`), single clips of files with many clips (`clip`), or
        the end of every clip (`time`).
      test_fraction: Fraction of the files, clips or time that is kept for testing, at least one.
      split_seed: Seed of the choice of files or clips.
    """

    source: str = ""
    fingerprint: str = ""
    num_steps: int = 30
    image_size: int = 32
    frame_step: int = 1
    stride: int = 10
    fit: str = "stretch"
    timing: str = "real"
    rate: float | None = None
    axes: str = ""
    range: str = ""
    backdrop: str = "black"
    split_by: str = "file"
    test_fraction: float = 0.2
    split_seed: int = 0

    def __post_init__(self):
        for name, minimum in {"num_steps": 1, "image_size": 1, "frame_step": 1, "stride": 1, "split_seed": 0}.items():
            try:
                setattr(self, name, operator.index(getattr(self, name)))
            except TypeError as error:
                raise ValueError(f"{name}: cannot use {getattr(self, name)!r} ({error})") from None
            if getattr(self, name) < minimum:
                raise ValueError(f"{name} must be {minimum} or more, got {getattr(self, name)}")
        for name, allowed in {"fit": video_files.FITS, "split_by": SPLITS_BY, "timing": TIMINGS}.items():
            if getattr(self, name) not in allowed:
                raise ValueError(f"{name} must be one of {', '.join(allowed)}; got {getattr(self, name)!r}")
        self.test_fraction = self._number("test_fraction")
        if not 0 < self.test_fraction < 1:
            raise ValueError(f"test_fraction must lie between 0 and 1, got {self.test_fraction}")
        if self.rate is not None:
            self.rate = self._number("rate")
            if not 0 < self.rate < math.inf:
                raise ValueError(f"rate must be positive and finite, got {self.rate}")
        for name in ("axes", "range", "backdrop"):
            setattr(self, name, _text(getattr(self, name)))
        self.axes = self.axes.upper()
        self.reading  # noqa: B018  (raises ValueError for what cannot be read)
        if self.source:
            self.source = str(pathlib.Path(self.source).expanduser().resolve())
        if self.source and not self.fingerprint:
            self.fingerprint = current_fingerprint(self.source)
        if self.description is None:
            self.description = (
                f"Windows of {self.num_frames} frames, {self.image_size}x{self.image_size}, of videos"
                f"{f' in {self.source}' if self.source else ''}, split by {self.split_by}."
            )

    def _number(self, name: str) -> float:
        try:
            return float(getattr(self, name))
        except (TypeError, ValueError) as error:
            raise ValueError(f"{name}: cannot use {getattr(self, name)!r} ({error})") from None

    @property
    def reading(self) -> Reading:
        """How files are read; raises ValueError for fields that say nothing of the kind."""
        if self.axes and (set(self.axes) - set("NTHWC") or len(set(self.axes)) < len(self.axes)
                          or not set("THW") <= set(self.axes)):  # fmt: skip
            raise ValueError(f"axes must be T, H and W, with N or C or both, in an order; got {self.axes!r}")
        try:
            limits = tuple(map(float, self.range.split(","))) if self.range else None
            if limits is not None and not (len(limits) == 2 and -math.inf < limits[0] < limits[1] < math.inf):
                raise ValueError
        except ValueError:
            raise ValueError(f"range must be values of black and white, as 0,4095; got {self.range!r}") from None
        is_triple = self.backdrop[:1].isdigit()
        try:
            backdrop = ImageColor.getrgb(f"rgb({self.backdrop})" if is_triple else self.backdrop)[:3]
        except ValueError:
            raise ValueError(
                f"backdrop must be a colour: black, white, #rrggbb or 0,128,255; got {self.backdrop!r}"
            ) from None
        return Reading(self.timing, self.axes, limits, backdrop)

    @property
    def num_frames(self) -> int:
        """Number of frames of a window."""
        return self.num_steps + 1

    def values(self) -> dict[str, Any]:
        """Returns the fields that determine the data: the fingerprint of the files, but not their place."""
        return {name: getattr(self, name) for name in field_names(self) if name != "source"}

    def num_trajectories(self) -> dict[str, int]:
        """Returns an empty dictionary: the number of windows is only known, and in the metadata, after the build."""
        return {}

    def memory_needs(self, num_workers: int) -> list[Need]:
        """Lists what making the data holds at once: a window and its encoding, and the mean image."""
        del num_workers
        fields = {"image_size": self.image_size, "num_steps": self.num_steps}
        return [Need("a window", (3 * self.num_frames + 16) * 3 * self.image_size**2, fields)]

    def estimated_bytes(self) -> int:
        """Estimates the size on disk by that of the videos, which have more pixels and are better compressed."""
        names = video_files.list_files(self.source) if os.path.isdir(self.source) else []
        paths = [pathlib.Path(self.source, name) for name in names]
        return sum(path.stat().st_size for path in paths if path.is_file())


def current_fingerprint(source: str) -> str:
    """Returns the fingerprint of the files in a directory; raises ValueError if they cannot be read."""
    try:
        if pathlib.Path(source).is_dir():
            return video_files.fingerprint(source)
    except OSError as error:
        raise ValueError(f"cannot read the videos in {source}: {error}") from None
    raise ValueError(
        f"the videos' directory {source} {'is a file' if pathlib.Path(source).exists() else 'is not there'}"
    )


def _text(value: Any) -> str:
    """Returns a value as the command line would spell it: numbers separated by commas."""
    if isinstance(value, list | tuple):
        return ",".join(map(_text, value))
    return f"{value:g}" if isinstance(value, float) else str(value)
