"""Builder of a data set from your own videos: the files of a directory, cut into windows of equal length."""

import contextlib
import itertools
import pathlib
import re
import tempfile
from collections.abc import Iterator
from typing import Any

import numpy as np
import tensorflow_datasets as tfds

from data_builders.errors import DatasetError
from data_builders.tfds_backend import shards
from data_builders.tfds_backend.base_builder import BaseBuilder, Metadata
from data_builders.video_folder import video_splits
from data_builders.video_folder.advice import advise
from data_builders.video_folder.collection import Collector, FrameStore
from data_builders.video_folder.video_folder_config import VideoFolderConfig, current_fingerprint
from data_builders.video_folder.video_splits import Video, count
from hgn_jax.training.progress import progress_bar


class Builder(BaseBuilder):
    """Builder of the video_folder data set.

    An example is one window of T + 1 frames: `image` uint8 `[T + 1, size, size, 3]`; `video`, the file and, if it holds
    several, the clip in it; `first_frame`, the index of the window's first frame in that clip; and the `index` of the
    window in its split. True states are not known.

    The metadata of a built data set hold every field of its `VideoFolderConfig`; `videos`, the clips of each split;
    `films`, the file, the name and the number of frames of each film that can be read, short ones too; `left_out`, the
    reason for each file or clip that is in neither split; `remarks`, how the others were understood;
    `frame_rate`, the number of frames per second, None if it is not known; with `fit=motion`, `crop`, the edges of the
    part in which things move, as fractions of width and height; and for each split, under `splits`, its
    `num_trajectories`, the number of windows, and `mean_image_mse`, the error of its mean image: the mean square over
    pixels and frames, with pixels scaled to [0, 1].
    """

    VERSION = tfds.core.Version("1.2.0")
    RELEASE_NOTES = {
        "1.0.0": "Initial release.",
        "1.1.0": "Test videos keep their last frames.",
        "1.2.0": "Real time; upright films; pictures.",
    }
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
        store = FrameStore(self._scratch, config.image_size)
        films = Collector(config, store).collect()
        self._check_source()  # files may have changed while they were read
        try:
            splits = video_splits.split(films.videos, config)
        except DatasetError as error:
            raise DatasetError(f"{error}{advise(films.films, config)}") from None
        # The test split holds whole videos, so that predictions can be compared with all of their frames.
        windows = {split: video_splits.windows(part, config, split == "test") for split, part in splits.items()}
        # TFDS writes the metadata after the splits, so that the generators can still add to them.
        self.info.metadata.clear()
        self.info.metadata.update(
            config.values(),
            source=config.source,
            videos={split: [video.name for video in part] for split, part in splits.items()},
            films=films.films,
            left_out=films.left_out,
            remarks=films.remarks,
            frame_rate=films.rate,
            **({"crop": films.moving._asdict()} if films.moving else {}),
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

    def _generate_examples(
        self, split: str, frames: np.ndarray, windows: list[tuple[Video, int]]
    ) -> Iterator[dict[str, Any]]:
        config = self.builder_config
        image_sum, squares = 0.0, 0.0
        for index, (video, start) in enumerate(windows):
            begin = video.begin + start
            image = np.array(frames[begin : begin + config.num_frames])
            image_sum = image_sum + image.sum(axis=0) / 255.0
            squares += np.mean([np.square(frame / 255.0).mean() for frame in image])  # one by one, to save memory
            first_frame = (video.first_frame + start) * config.frame_step
            yield {"image": image, "video": video.name, "first_frame": first_frame, "index": index}
        mean_image = image_sum / (len(windows) * config.num_frames)
        error = squares / len(windows) - np.square(mean_image).mean()
        self.info.metadata["splits"][split]["mean_image_mse"] = max(float(error), 0.0)  # no rounding below 0

    def _log_download_bytes(self) -> None:
        """Silences TFDS's message about downloads of unknown size."""
