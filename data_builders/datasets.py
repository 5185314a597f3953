"""Data sets by name: builds what is missing, and checks what is there."""

import importlib
import os
import pathlib
import shlex
import shutil
import tempfile
from typing import Any

import tensorflow_datasets as tfds

from data_builders.configs import field_names
from data_builders.errors import DatasetError
from data_builders.simulation import workers
from data_builders.tfds_backend import dataset_checks, environment
from data_builders.tfds_backend.base_builder import BaseBuilder, read_metadata
from hgn_jax import memory

__all__ = ["NAMES", "DatasetError", "check_dataset", "check_destination", "config_fields", "dataset_path"]
__all__ += ["derive_config", "ensure_built", "get_builder", "module_name", "read_metadata"]

NAMES = tuple(sorted(path.parent.name for path in pathlib.Path(__file__).parent.glob("*/*_dataset_builder.py")))


def get_builder(name: str) -> type[BaseBuilder]:
    """Returns the builder class of a data set; raises DatasetError listing the valid names."""
    if name not in NAMES:
        raise DatasetError(f"unknown data set {name!r}; choose one of {', '.join(NAMES)}")
    return importlib.import_module(module_name(name)).Builder


def module_name(name: str) -> str:
    """Returns the module that defines the builder of a data set."""
    return f"data_builders.{name}.{name}_dataset_builder"


def config_fields(name: str) -> tuple[str, ...]:
    """Returns the fields of the configurations of a data set."""
    return field_names(get_builder(name).builder_config_cls)


def derive_config(name: str, base: str | tfds.core.BuilderConfig, **overrides: Any) -> tfds.core.BuilderConfig:
    """Returns a configuration of the data set `name` with some fields changed; see `BaseBuilder.derive_config`."""
    return get_builder(name).derive_config(base, **overrides)


def dataset_path(
    name: str, config: tfds.core.BuilderConfig, data_dir: str | os.PathLike[str] | None = None
) -> pathlib.Path:
    """Returns the directory in which a data set is, or would be.

    Args:
      name: A name in `NAMES`.
      config: Its configuration.
      data_dir: Root of all data sets; by default TFDS's, $TFDS_DATA_DIR or ~/tensorflow_datasets.
    """
    return environment.data_root(data_dir) / name / config.name / str(config.version or get_builder(name).VERSION)


def ensure_built(
    name: str,
    config: str | tfds.core.BuilderConfig,
    data_dir: str | os.PathLike[str] | None = None,
    num_workers: int | None = None,
) -> pathlib.Path:
    """Builds a data set unless it exists, and checks that it is complete.

    Before building, prints where the data go and about how large they will be; then shows a progress bar.

    Args:
      name: A name in `NAMES`.
      config: The name of a configuration, or a configuration from `derive_config`.
      data_dir: Root of all data sets; by default TFDS's, $TFDS_DATA_DIR or ~/tensorflow_datasets.
      num_workers: Number of processes; by default $DATA_BUILDERS_NUM_WORKERS or the number of cores. The data do not
        depend on it.

    Returns:
      The data set's directory, for `tfds.builder_from_directory` and `read_metadata`.

    Raises:
      DatasetError: If there is no such data set or configuration; if the data set exists but is incomplete, damaged
        or of another configuration; or if it does not exist and cannot be written to `data_dir`.
    """
    builder_class = get_builder(name)
    if isinstance(config, str):
        try:
            config = builder_class.named_config(config)
        except ValueError as error:
            raise DatasetError(str(error)) from None
    path = dataset_path(name, config, data_dir)
    if not path.exists():
        check_destination(path, config)
        builder = builder_class(config=config, data_dir=path.parents[2])
        try:
            with environment.progress_bars_on_terminals_only(), workers.default_number(num_workers):
                builder.download_and_prepare()
        except OSError as error:
            if not path.exists():  # otherwise another process has finished the same data set first
                raise DatasetError(f"cannot build {name}/{config.name} into {path}: {error}") from error
    check_dataset(path, name, config)
    return path


def check_dataset(path: str | os.PathLike[str], name: str, config: tfds.core.BuilderConfig) -> None:
    """Checks the configuration, the counts and the integrity of every record of a data set.

    Args:
      path: The data set's directory.
      name: Its name.
      config: Its expected configuration.

    Raises:
      DatasetError: If something is missing, truncated or different; says what, and how to repair it.
    """
    path = pathlib.Path(path)
    problem = dataset_checks.find_problem(path, config)
    if problem:
        repair = "run the same again"
        if config.name in get_builder(name).builder_configs and len(path.parents) > 2:
            data_dir = shlex.quote(str(path.parents[2]))
            repair = f"python -m data_builders.build {name} --config={config.name} --data_dir={data_dir}"
        raise DatasetError(f"data set {path}: {problem}; to repair: rm -r {shlex.quote(str(path))}, then {repair}")


def check_destination(path: pathlib.Path, config: tfds.core.BuilderConfig) -> None:
    """Checks that a data set can be written.

    Args:
      path: The directory it will have.
      config: Its configuration.

    Raises:
      DatasetError: If the directory cannot be made, or its disk has too little space left, or making the data needs
        more memory than there is.
    """
    try:
        memory.require(config.memory_needs(workers.default_num_workers()))
    except ValueError as error:
        raise DatasetError(str(error)) from None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=path.parent):
            pass
        free = shutil.disk_usage(path.parent).free
    except OSError as error:
        raise DatasetError(f"cannot write to {path.parent}: {error.strerror}; choose another data_dir") from None
    needed = 2 * config.estimated_bytes()  # a temporary file holds the records until they are sorted
    if free < needed:
        raise DatasetError(
            f"{path.parent} has {free / 1e6:.0f} MB free and {needed / 1e6:.0f} MB are needed; choose another data_dir"
        )
