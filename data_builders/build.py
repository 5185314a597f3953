"""Builds data sets without TensorFlow: `python -m data_builders.build NAME [flags of tfds build]`.

    python -m data_builders.build three_body --config=small --data_dir=DIR

NAME may also be a path, data_builders/three_body. Without `--config` all configurations of NAME are built, as by
`tfds build`. Programs call `ensure_built`.
"""

import contextlib
import dataclasses
import importlib
import json
import os
import pathlib
import shlex
import shutil
import sys
import tempfile
from collections.abc import Iterator

import tensorflow_datasets as tfds
from absl import app, logging
from array_record.python import array_record_module
from tensorflow_datasets.core import constants as tfds_constants
from tensorflow_datasets.core.utils import tqdm_utils
from tensorflow_datasets.scripts.cli import build as tfds_build
from tensorflow_datasets.scripts.cli import cli_utils

from data_builders.physics_builder import PhysicsBuilder, PhysicsConfig, read_metadata

_HERE = pathlib.Path(__file__).parent
NAMES = tuple(sorted(path.parent.name for path in _HERE.glob("*/*_dataset_builder.py")))


class DatasetError(ValueError):
    """A data set cannot be found, built or used. The message is one line, and says what to do about it."""


def get_builder(name: str) -> type[PhysicsBuilder]:
    """Returns the builder class of the data set `name`; raises DatasetError listing the names there are."""
    if name not in NAMES:
        raise DatasetError(f"unknown data set {name!r}; choose one of {', '.join(NAMES)}")
    return importlib.import_module(_module_name(name)).Builder


def _module_name(name: str) -> str:
    return f"data_builders.{name}.{name}_dataset_builder"


def derive_config(name: str, base: str | PhysicsConfig, **overrides) -> PhysicsConfig:
    """Returns a configuration of the data set `name` with some fields changed; see `PhysicsBuilder.derive_config`."""
    return get_builder(name).derive_config(base, **overrides)


def dataset_path(name: str, config: PhysicsConfig, data_dir: str | os.PathLike[str] | None = None) -> pathlib.Path:
    """Returns the directory in which a data set is, or would be.

    Args:
      name: a name in `NAMES`.
      config: its configuration.
      data_dir: root of all data sets, by default TFDS's: $TFDS_DATA_DIR or ~/tensorflow_datasets.
    """
    root = pathlib.Path(data_dir or tfds_constants.get_default_data_dir()).expanduser()
    return root / name / config.name / str(config.version or get_builder(name).VERSION)


def ensure_built(
    name: str, config: str | PhysicsConfig, data_dir: str | os.PathLike[str] | None = None
) -> pathlib.Path:
    """Builds a data set unless it is there already, and checks that it is whole if it is.

    Before building, prints a line saying where the data go and how big they will be; then shows a progress bar.

    Args:
      name: a name in `NAMES`.
      config: a configuration's name, or a configuration from `derive_config`.
      data_dir: root of all data sets, by default TFDS's: $TFDS_DATA_DIR or ~/tensorflow_datasets.

    Returns:
      The data set's directory, for `tfds.builder_from_directory` and `read_metadata`.

    Raises:
      DatasetError: if there is no such data set or configuration, if the data set is there but incomplete, damaged or
        of another configuration, or if it is not and `data_dir` cannot take it.
    """
    builder_class = get_builder(name)
    config = _named_config(builder_class, config) if isinstance(config, str) else config
    path = dataset_path(name, config, data_dir)
    if not path.exists():
        _check_destination(path, config)
        builder = builder_class(config=config, data_dir=path.parents[2])
        try:
            with _progress_bar_on_terminals_only():
                builder.download_and_prepare()
        except OSError as error:  # another process may have finished the same data set first
            if not path.exists():
                raise DatasetError(f"cannot build {name}/{config.name} into {path}: {error}") from error
    check_dataset(path, name, config)
    return path


def check_dataset(path: str | os.PathLike[str], name: str, config: PhysicsConfig) -> None:
    """Checks cheaply that a data set is whole: counts, sizes of shards and configuration, but not each example.

    Args:
      path: the data set's directory.
      name: its name.
      config: what it should hold.

    Raises:
      DatasetError: if something is missing, truncated or different; says what, and how to repair it.
    """
    path = pathlib.Path(path)
    problem = _find_problem(path, config)
    if problem:
        repair = "run the same again"
        if config.name in get_builder(name).builder_configs and len(path.parents) > 2:
            data_dir = shlex.quote(str(path.parents[2]))
            repair = f"python -m data_builders.build {name} --config={config.name} --data_dir={data_dir}"
        raise DatasetError(f"data set {path}: {problem}; to repair: rm -r {shlex.quote(str(path))}, then {repair}")


def _find_problem(path: pathlib.Path, config: PhysicsConfig) -> str | None:
    try:
        info = tfds.builder_from_directory(path).info
        metadata = read_metadata(path)
    except Exception as error:  # whatever TFDS, protobuf or json say about a missing or damaged file
        return f"its description cannot be read ({_first_line(error)})"
    for field, value in json.loads(json.dumps(config.values())).items():
        if metadata.get(field) != value:
            return f"was built with {field} = {metadata.get(field)}, not {value}"
    for split, expected in config.num_trajectories().items():
        found = info.splits[split].num_examples if split in info.splits else 0
        if found != expected:
            return f"is incomplete: {found} of {expected} {split} trajectories"
        for shard, num_records in zip(info.splits[split].filepaths, info.splits[split].shard_lengths, strict=True):
            problem = _find_shard_problem(pathlib.Path(shard), num_records)
            if problem:
                return problem
    return None


def _find_shard_problem(shard: pathlib.Path, num_records: int) -> str | None:
    if shard.name.split(".")[-1].startswith("tfrecord"):
        return "is in TFRecord format, which is read by TensorFlow only"
    if not shard.exists():
        return f"{shard.name} is missing"
    try:
        reader = array_record_module.ArrayRecordReader(str(shard))  # reads the index at the end of the file
        found = reader.num_records()
        reader.close()
    except RuntimeError as error:
        return f"{shard.name} is truncated or damaged ({_first_line(error)})"
    return None if found == num_records else f"{shard.name} holds {found} of {num_records} trajectories"


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]


def _check_destination(path: pathlib.Path, config: PhysicsConfig) -> None:
    """Raises DatasetError if the data set directory `path` cannot be made, or its disk is too full."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=path.parent):
            pass
        free = shutil.disk_usage(path.parent).free
    except OSError as error:
        raise DatasetError(f"cannot write to {path.parent}: {error.strerror}; choose another data_dir") from None
    needed = 2 * config.estimated_bytes()  # TFDS shuffles large data sets through temporary files
    if free < needed:
        raise DatasetError(
            f"{path.parent} has {free / 1e6:.0f} MB free and {needed / 1e6:.0f} MB are needed; choose another data_dir"
        )


@contextlib.contextmanager
def _progress_bar_on_terminals_only() -> Iterator[None]:
    """Silences TFDS's bars, which fill log files; the builder prints a line now and then there."""
    active = tqdm_utils._active  # TFDS has a setter only
    tqdm_utils.display_progress_bar(active and sys.stderr.isatty())
    try:
        yield
    finally:
        tqdm_utils.display_progress_bar(active)


def _named_config(builder_class: type[PhysicsBuilder], name: str) -> PhysicsConfig:
    try:
        return builder_class.named_config(name)
    except ValueError as error:
        raise DatasetError(str(error)) from None


def _split_name(argument: str) -> tuple[str, str | None]:
    """`three_body`, `path/to/three_body` or `three_body/small` -> name and configuration."""
    *_, before, last = ("", *argument.rstrip("/").split("/"))
    if last not in NAMES and before in NAMES:
        return before, last.split(":")[0]
    return last, None


def _requested_configs(
    builder_class: type[PhysicsBuilder], name: str | None, options: cli_utils.GenerationOptions
) -> list[PhysicsConfig]:
    """The configurations `tfds build` is going to build."""
    name = name or options.config
    if name and name.startswith("{"):
        try:
            return [builder_class.builder_config_cls(**json.loads(name))]
        except (TypeError, ValueError) as error:
            raise DatasetError(f"--config={name}: {error}") from None
    if name:
        return [_named_config(builder_class, name)]
    if options.config_idx is not None:
        return [config for i, config in enumerate(builder_class.BUILDER_CONFIGS) if i == options.config_idx]
    return builder_class.BUILDER_CONFIGS


def _run(args: tfds_build.Args) -> None:
    """Checks what `tfds build` would stumble over, has it build, and checks what came out."""
    arguments = args.positional_datasets + args.datasets
    if not arguments:
        raise DatasetError(f"name a data set: {', '.join(NAMES)}")
    wanted = []
    for argument in arguments:
        name, config_name = _split_name(argument)
        for config in _requested_configs(get_builder(name), config_name, args.generation):
            wanted.append((name, config, dataset_path(name, config, args.paths.data_dir)))
    for _, config, path in wanted:
        if not path.exists():
            _check_destination(path, config)
    if len(wanted) > len(arguments):
        print(f"No --config given, so building {', '.join(f'{name}/{config.name}' for name, config, _ in wanted)}.")
    names = [name if config is None else f"{name}/{config}" for name, config in map(_split_name, arguments)]
    imports = ",".join(_module_name(name) for name, _, _ in wanted)  # found by import, the builders have one identity
    generation = dataclasses.replace(args.generation, imports=imports)
    paths = dataclasses.replace(args.paths, data_dir=args.paths.data_dir.expanduser())
    with _progress_bar_on_terminals_only():
        dataclasses.replace(args, positional_datasets=names, datasets=[], generation=generation, paths=paths).execute()
    if args.debug.max_examples_per_split is None and not args.generation.file_format:
        for name, config, path in wanted:
            check_dataset(path, name, config)


def main(args: tfds_build.Args) -> None:
    """Runs the command; a `DatasetError` ends it with one line and exit status 1."""
    logging.set_verbosity(logging.ERROR)  # TFDS warns about every data set that is not there yet
    try:
        _run(args)
    except DatasetError as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    app.run(main, flags_parser=cli_utils.make_flags_parser(tfds_build.Args, "Builds the simulated data sets."))
