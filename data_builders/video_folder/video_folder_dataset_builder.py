"""Builder of a data set from your own videos: the files of a directory, cut into windows of equal length."""

import contextlib
import itertools
import pathlib
import re
import sys
import tempfile
from collections.abc import Iterator
from typing import Any

import numpy as np
import tensorflow_datasets as tfds

from data_builders.errors import DatasetError
from data_builders.tfds_backend import shards
from data_builders.tfds_backend.base_builder import BaseBuilder, Metadata
from data_builders.video_folder import motion, video_files, video_splits
from data_builders.video_folder.video_folder_config import VideoFolderConfig, current_fingerprint
from data_builders.video_folder.video_splits import TOO_SHORT, Video, count, shortest, too_short
from hgn_jax.errors import first_line
from hgn_jax.training.progress import progress_bar

_FRAMES_BETWEEN_UPDATES = {True: 100, False: 10_000}  # of the progress bar, on a terminal or not


class _FrameStore:
    """Stores the resized frames of all videos in one file, which may exceed the memory.

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


class Builder(BaseBuilder):
    """Builder of the video_folder data set.

    An example is one window of T + 1 frames: `image` uint8 `[T + 1, size, size, 3]`; `video`, the file and, if it holds
    several, the clip in it; `first_frame`, the index of the window's first frame in that clip; and the `index` of the
    window in its split. True states are not known.

    The metadata of a built data set hold every field of its `VideoFolderConfig`; `videos`, the clips of each split;
    `left_out`, the reason for each file or clip that is in neither split; with `fit=motion`, `crop`, the edges of the
    part in which things move, as fractions of width and height; and for each split, under `splits`, its
    `num_trajectories`, the number of windows, and `mean_image_mse`, the error of its mean image: the mean square over
    pixels and frames, with pixels scaled to [0, 1].
    """

    VERSION = tfds.core.Version("1.1.0")
    RELEASE_NOTES = {"1.0.0": "Initial release.", "1.1.0": "Test videos keep their last frames."}
    BUILDER_CONFIGS = [VideoFolderConfig(name="default"), VideoFolderConfig(name="64x64", image_size=64)]

    @classmethod
    def derive_config(cls, base: str | VideoFolderConfig, **overrides: Any) -> VideoFolderConfig:
        """As `BaseBuilder.derive_config`; the new name begins with that of the directory of the videos."""
        if "source" in overrides:
            overrides.setdefault("fingerprint", "")
        derived = super().derive_config(base, **overrides)
        folder = re.sub(r"[^A-Za-z0-9.]+", "_", pathlib.Path(derived.source).name)[:40].strip("_.")
        if derived.name not in cls.builder_configs and not derived.name.startswith(folder):
            derived.name = f"{folder}-{derived.name}"
        return derived

    def _info(self) -> tfds.core.DatasetInfo:
        config = self.builder_config
        shape = (config.num_frames, config.image_size, config.image_size, 3)
        features = {
            "image": tfds.features.Tensor(shape=shape, dtype=np.uint8, encoding="zlib"),
            "video": tfds.features.Text(),
            "first_frame": tfds.features.Scalar(np.int64),
            "index": tfds.features.Scalar(np.int64),
        }
        return self.dataset_info_from_configs(features=tfds.features.FeaturesDict(features), metadata=Metadata())

    def download_and_prepare(self, **kwargs: Any) -> None:
        """Builds the data set; raises DatasetError if the videos are missing, have changed, or cannot be used."""
        parent = pathlib.Path(self.data_dir).parent
        parent.mkdir(parents=True, exist_ok=True)
        try:
            with tempfile.TemporaryDirectory(prefix="incomplete.", dir=parent) as self._scratch:
                super().download_and_prepare(**kwargs)
        finally:
            with contextlib.suppress(OSError):  # removed only if it is empty, after a failure
                parent.rmdir()

    def _generate_splits(self, dl_manager, download_config) -> list[Any]:
        """Replaces TFDS's method, which keeps a split in memory and needs TensorFlow for more than 1000 MiB."""
        infos = []
        for split, examples in self._split_generators(dl_manager).items():
            number = self.info.metadata["splits"][split]["num_trajectories"]
            number = min(number, download_config.max_examples_per_split or number)
            with (
                shards.Spool(pathlib.Path(self.data_dir, f"{split}.spool")) as spool,
                progress_bar(number, f"writing {split}", "window") as bar,
            ):
                for record in shards.serialise(self.info.features, itertools.islice(examples, number)):
                    spool.add([record])
                    bar.update()
                infos.append(shards.write_split(spool, split, **self._writer_kwargs(split, download_config)))
            for _ in examples:  # the generator completes the metadata at its end
                pass
        return infos

    def _split_generators(self, dl_manager) -> dict[str, Iterator[dict[str, Any]]]:
        del dl_manager
        config = self.builder_config
        self._check_source()
        shape = f"{config.num_frames} frames, {config.image_size}x{config.image_size}"
        path = pathlib.Path(self._data_dir_root, self.info.full_name)
        print(f"Cutting the videos in {config.source} into windows of {shape}, into {path}", flush=True)
        store = _FrameStore(self._scratch, config.image_size)
        self._moving = self._find_moving_part() if config.fit == "motion" else None
        videos, left_out = self._read_videos(store)
        self._check_source()  # files may have changed while they were read
        splits = video_splits.split(videos, config)
        # The test split holds whole videos, so that predictions can be compared with all of their frames.
        windows = {split: video_splits.windows(part, config, split == "test") for split, part in splits.items()}
        # TFDS writes the metadata after the splits, so that the generators can still add to them.
        self.info.metadata.clear()
        self.info.metadata.update(
            config.values(),
            source=config.source,
            videos={split: [video.name for video in part] for split, part in splits.items()},
            left_out=left_out,
            **({"crop": self._moving._asdict()} if self._moving else {}),
            splits={split: {"num_trajectories": len(part)} for split, part in windows.items()},
        )
        for split, part in windows.items():
            print(f"  {split}: {count(len(part), 'window')} of {count(len(splits[split]), 'clip')}", flush=True)
        frames = store.read()
        return {split: self._generate_examples(split, frames, part) for split, part in windows.items()}

    def _check_source(self) -> None:
        config = self.builder_config
        if not config.source:
            raise DatasetError("video_folder needs source, the directory of your videos")
        try:
            fingerprint = current_fingerprint(config.source)
        except ValueError as error:
            raise DatasetError(f"{error}, nor a data set built from it in {self._data_dir_root}") from None
        if fingerprint != config.fingerprint:
            raise DatasetError(
                f"the videos in {config.source} have changed (fingerprint {fingerprint}, not {config.fingerprint}), "
                f"and no data set built from the former ones is in {self._data_dir_root}"
            )

    def _find_moving_part(self) -> motion.Box | None:
        """Finds where things move in the videos that are long enough, and prints it; None if there is no such video."""
        config, changes = self.builder_config, []
        names = [name for name in video_files.list_files(config.source) if not video_files.is_hidden(name)]
        with progress_bar(len(names), "looking for motion", "file") as bar:
            for name in names:
                with contextlib.suppress(Exception):  # `_read_videos` says which files cannot be read
                    for clip in video_files.read_clips(pathlib.Path(config.source, name))[0]:
                        used = itertools.islice(clip.frames, 0, None, config.frame_step)
                        change, num_frames = motion.changes(used)
                        changes += [change] if num_frames >= shortest(config) else []
                bar.update()
        moving = motion.moving_part(changes)
        if changes and moving is None:
            raise DatasetError(f"fit=motion finds nothing that moves in the videos in {config.source}; try fit=stretch")
        if moving is not None:
            left, top, right, bottom = (f"{edge:.0%}" for edge in moving)
            print(
                f"Things move from {left} to {right} of the width and from {top} to {bottom} of the height; frames are "
                "cropped to the square around that",
                flush=True,
            )
        return moving

    def _read_videos(self, store: _FrameStore) -> tuple[list[Video], dict[str, str]]:
        """Returns the videos that hold at least one window, and the reason for each that is left out; prints both."""
        config, videos, left_out = self.builder_config, [], {}
        names = video_files.list_files(config.source)
        with progress_bar(len(names), "reading videos", "file") as bar:
            for name in names:
                try:
                    clips, reasons = self._read_file(name, store, bar)
                except DatasetError:
                    raise
                except UnicodeEncodeError:
                    name = name.encode("utf-8", "backslashreplace").decode()
                    clips, reasons = [], {name: "its name is not in UTF-8"}
                except Exception as error:  # readers raise various types for a damaged file
                    clips, reasons = [], {name: first_line(error.__cause__ or error)}
                videos += clips
                left_out |= reasons
                bar.update()
        files = {video.file for video in videos}
        print(f"{len(files)} of {count(len(names), 'file')} in {config.source} used", flush=True)
        for name, reason in left_out.items():
            print(f"  left out: {name}: {reason}", flush=True)
        if not videos:
            some_too_short = any(reason.startswith(TOO_SHORT) for reason in left_out.values())
            advice = "; a smaller num_steps makes windows shorter" if some_too_short else ""
            raise DatasetError(
                f"no usable video among {count(len(names), 'file')} in {config.source}{_few(left_out)}{advice}"
            )
        return videos, left_out

    def _read_file(self, name: str, store: _FrameStore, bar: Any) -> tuple[list[Video], dict[str, str]]:
        config = self.builder_config
        name.encode("utf-8")
        if video_files.is_hidden(name):
            raise video_files.UnreadableError("is hidden")
        clips, reasons = video_files.read_clips(pathlib.Path(config.source, name))
        reasons = {f"{name}:{array}": reason for array, reason in reasons.items()}
        videos = []
        for clip in clips:
            array = f"{name}:{clip.name}" if clip.name else name
            begin = store.length
            num_frames = self._store_frames(clip, array, store, bar)
            video = Video(name, array + clip.place, begin, store.length - begin)
            if video.length >= shortest(config):
                videos.append(video)
            else:
                reasons[array] = too_short(num_frames, config)
        return videos, reasons

    def _store_frames(self, clip: video_files.Clip, name: str, store: _FrameStore, bar: Any) -> int:
        """Stores the used frames of a clip, resized; returns the number of all its frames."""
        config, num_frames = self.builder_config, 0
        frames_between_updates = _FRAMES_BETWEEN_UPDATES[sys.stderr.isatty()]
        for number, frame in enumerate(clip.frames):
            num_frames = number + 1
            if number % config.frame_step == 0:
                store.append(video_files.resize(frame, config.image_size, config.fit, self._moving))
                if store.length % frames_between_updates == 0:
                    bar.set_postfix_str(f"{name}, {store.length} frames so far")
        return num_frames

    def _generate_examples(
        self, split: str, frames: np.ndarray, windows: list[tuple[Video, int]]
    ) -> Iterator[dict[str, Any]]:
        config = self.builder_config
        image_sum, squares = 0.0, 0.0
        for index, (video, start) in enumerate(windows):
            begin = video.begin + start
            image = np.array(frames[begin : begin + config.num_frames])
            image_sum = image_sum + image.sum(axis=0) / 255.0
            squares += np.square(image / 255.0).mean()
            first_frame = (video.first_frame + start) * config.frame_step
            yield {"image": image, "video": video.name, "first_frame": first_frame, "index": index}
        mean_image = image_sum / (len(windows) * config.num_frames)
        error = squares / len(windows) - np.square(mean_image).mean()
        self.info.metadata["splits"][split]["mean_image_mse"] = max(float(error), 0.0)  # no rounding below 0

    def _log_download_bytes(self) -> None:
        """Silences TFDS's message about downloads of unknown size."""


def _few(reasons: dict[str, str], shown: int = 3) -> str:
    """Lists the first reasons on one line."""
    texts = [f"{name}: {reason}" for name, reason in list(reasons.items())[:shown]]
    more = [f"{len(reasons) - shown} more above"] if len(reasons) > shown else []
    return f" ({'; '.join(texts + more)})" if texts else ""
