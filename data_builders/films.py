"""Reads a single film, as the data set `video_folder` reads those of a directory, into an array for a model."""

import itertools
import json
import os
import pathlib
from collections.abc import Mapping
from typing import Any

import numpy as np

from data_builders import caller
from data_builders.errors import DatasetError
from data_builders.video_folder import motion, video_files
from data_builders.video_folder.video_folder_config import VideoFolderConfig
from hgn_jax.errors import first_line

SETTINGS = ("image_size", "frame_step", "fit", "timing", "rate", "axes", "range", "backdrop")


def read_film(path: str | os.PathLike[str], crop: Mapping[str, float] | None = None, **settings: Any) -> np.ndarray:
    """Reads a film, a directory of numbered pictures, or an array of films.

    Args:
      path: Path of the file or directory.
      crop: The part of the picture in which things move, for `fit="motion"`: edges as fractions of its width and
        height, as the metadata of a data set hold them. By default it is looked for in this film.
      **settings: Fields of `VideoFolderConfig` that are named in `SETTINGS`, such as `image_size=32`, the default,
        `fit="crop"` or `frame_step=2`; `axes="NTHWC"` and `range="0,4095"` where an array does not tell.

    Returns:
      Frames `[clips, time, size, size, 3]`, uint8; one clip but for arrays of several.

    Raises:
      DatasetError: In one line, if it cannot be read, or a setting is unknown or not allowed.
    """
    path = pathlib.Path(path).expanduser()
    unknown = sorted(set(settings) - set(SETTINGS))
    if unknown:
        raise DatasetError(f"unknown setting {', '.join(unknown)}; choose from {', '.join(SETTINGS)}")
    try:
        config = VideoFolderConfig(name="", **settings)
        clips = _read(path, config, motion.Box(**crop) if crop else None)
    except Exception as error:  # readers raise various types for a damaged file
        raise DatasetError(f"cannot read {path}: {first_line(error)}") from None
    lengths = sorted({len(clip) for clip in clips})
    if len(lengths) != 1:
        raise DatasetError(f"cannot read {path}: it holds no clips of one length, but of {lengths} frames")
    return np.stack(clips)


def read_film_like(path: str | os.PathLike[str], metadata: Mapping[str, Any], **settings: Any) -> np.ndarray:
    """Reads a film as those of a data set were read: at their size, crop and rate.

    Args:
      path: Path of the film.
      metadata: Metadata of the data set; for simulated systems only the size counts.
      **settings: Settings that are different for this film, as in `read_film`.
    """
    own = {name: metadata[name] for name in SETTINGS if name in metadata}
    if own.get("rate") is None and metadata.get("frame_rate") is not None:
        own["rate"] = metadata["frame_rate"]
    return read_film(path, **{"crop": metadata.get("crop"), **own, **settings})


def _read(path: pathlib.Path, config: VideoFolderConfig, moving: motion.Box | None) -> list[np.ndarray]:
    in_python = caller.Caller(flag=lambda field, value: f"{field}={json.dumps(value)}")
    with caller.calling(in_python if caller.current() == caller.Caller() else caller.current()):
        clips, reasons = video_files.read_clips(path, config.reading)
    if not clips:
        raise DatasetError("; ".join(f"{name} {reason}" for name, reason in reasons.items()) or "holds no film")
    rates = [clip.rate and config.rate for clip in clips]  # a clip without times is taken frame by frame
    if config.fit == "motion" and moving is None:
        changes = [motion.changes(clip.frames_at(rate))[0] for clip, rate in zip(clips, rates, strict=True)]
        moving = motion.moving_part(changes)
        if moving is None:
            raise DatasetError("fit=motion finds nothing that moves")
    return [
        np.stack(
            [
                video_files.resize(frame, config.image_size, config.fit, moving)
                for frame in itertools.islice(clip.frames_at(rate), 0, None, config.frame_step)
            ]
        )
        for clip, rate in zip(clips, rates, strict=True)
    ]
