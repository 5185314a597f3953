"""Base class of all builders: named and derived configurations, the file format, the metadata."""

import os
import pathlib
import shutil
from typing import Any

import tensorflow_datasets as tfds
from tensorflow_datasets.core import file_adapters

from data_builders import locks
from data_builders.configs import derived_name, field_names
from data_builders.tfds_backend import tf_dataset


class Metadata(tfds.core.Metadata):
    """Metadata of a data set: a dictionary stored as JSON in TFDS's usual place.

    It replaces `tfds.core.MetadataDict`, which TFDS loads lazily: `get` and `in` would not see the entries, and
    `--update_metadata_only` would lose them.
    """

    def save_metadata(self, data_dir) -> None:
        tfds.core.MetadataDict(self).save_metadata(data_dir)

    def load_metadata(self, data_dir) -> None:
        loaded = tfds.core.MetadataDict()
        loaded.load_metadata(data_dir)
        self.clear()
        self.update(loaded)


def read_metadata(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Returns the metadata of the data set in the directory `path`; its builder documents the entries."""
    metadata = Metadata()
    metadata.load_metadata(path)
    return dict(metadata)


def replaces(download_config: Any) -> bool:
    """Returns whether a `tfds.download.DownloadConfig` asks to build a data set again that exists; None does not."""
    return bool(download_config and download_config.download_mode.overwrite_dataset)


class BaseBuilder(tfds.core.GeneratorBasedBuilder, skip_registration=True):
    """Base class of all builders. `values()` of a configuration returns the fields that determine the data."""

    def __init__(self, *, file_format: str | None = "array_record", **kwargs: Any):
        """Uses array records by default, which TFDS builds and reads without TensorFlow."""
        super().__init__(file_format=file_format, **kwargs)

    def _create_builder_config(self, builder_config, version):
        derived = (
            isinstance(builder_config, self.builder_config_cls) and builder_config.name not in self.builder_configs
        )
        # TFDS would log a warning for a derived configuration.
        return builder_config if derived else super()._create_builder_config(builder_config, version)

    def download_and_prepare(self, **kwargs: Any) -> None:
        """As TFDS's method, but several processes may call it at once: the first one builds, and the others wait."""
        path = pathlib.Path(self.data_dir)
        if path.exists() and not replaces(kwargs.get("download_config")):
            super().download_and_prepare(**kwargs)
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = path.with_name(f".{path.name}.lock")
        with locks.held(lock, waiting=f"another process is building {path}; waiting for it") as everywhere:
            if everywhere:  # so whoever began these has ended, and did not come to delete them
                for left in path.parent.glob(f"incomplete.*_{path.name}"):
                    shutil.rmtree(left, ignore_errors=True)
            try:
                super().download_and_prepare(**kwargs)
            finally:
                lock.unlink(missing_ok=True)  # a process that waits for it looks at the data set next
        self.info.read_from_directory(path)  # it may be another process that built the data set

    @classmethod
    def derive_config(cls, base: str | tfds.core.BuilderConfig, **overrides: Any) -> tfds.core.BuilderConfig:
        """Returns a configuration with some fields changed.

        Args:
          base: A configuration of this builder, or the name of one.
          **overrides: New values of fields of the configuration.

        Returns:
          The named configuration that equals the result, if there is one; else a new one. Its name consists of that of
          `base` and the changes, and can be the name of a directory.

        Raises:
          ValueError: For an unknown configuration, an unknown field or an invalid value.
        """
        if isinstance(base, str):
            base = cls.named_config(base)
        fields = {name: getattr(base, name) for name in field_names(base)}
        unknown = sorted(set(overrides) - set(fields))
        if unknown:
            raise ValueError(f"unknown field {', '.join(unknown)}; choose from {', '.join(fields)}")
        derived = type(base)(name="", **{**fields, **overrides})
        for config in (*cls.BUILDER_CONFIGS, base):
            if config.values() == derived.values():
                return config
        changes = {name: value for name, value in derived.values().items() if value != getattr(base, name)}
        derived.name = derived_name(base.name, changes)
        return derived

    @classmethod
    def named_config(cls, name: str) -> tfds.core.BuilderConfig:
        """Returns the configuration called `name`; raises ValueError listing the valid names."""
        if name not in cls.builder_configs:
            raise ValueError(
                f"unknown configuration {name!r} of {cls.name}; choose one of {', '.join(cls.builder_configs)}"
            )
        return cls.builder_configs[name]

    def _writer_kwargs(self, split: str, download_config) -> dict[str, Any]:
        """Returns the arguments of `shards.write_split` for a split: where and how its shards are written."""
        return {
            "filename_template": self._get_filename_template(split_name=split),
            "shard_config": download_config.get_shard_config(),
            "example_writer": self._example_writer(),
        }

    def _as_dataset(self, split, decoders=None, read_config=None, shuffle_files=False):
        """Replaces TFDS's method for array records, which it cannot read with TensorFlow."""
        if self.info.file_format != file_adapters.FileFormat.ARRAY_RECORD:
            return super()._as_dataset(split, decoders, read_config, shuffle_files)
        return tf_dataset.read(self, split, decoders, read_config, shuffle_files)
