"""Builds data sets without TensorFlow: `python -m data_builders.build NAME [flags of tfds build]`.

    python -m data_builders.build three_body --config=small --data_dir=DIR
    python -m data_builders.build three_body --config=small --config.dt=0.05 --config.constants.g=2
    python -m data_builders.build three_body --config=paper --num_workers=8
    python -m data_builders.build three_body --config=paper --beam_runner=FnApiRunner

NAME may also be a path, data_builders/three_body. `--config.field=value` changes a field of the configuration, by
default of the first. Without any of these all configurations of NAME are built, as by `tfds build`. `--num_workers` is
the number of processes, by default that of the cores; `--beam_runner` names the Apache Beam runner that builds instead,
and the options of its pipeline are those of `--beam_pipeline_options`. Programs call `ensure_built`.
"""

import contextlib
import dataclasses
import importlib
import json
import os
import pathlib
import re
import shlex
import shutil
import signal
import sys
import tempfile
from collections.abc import Iterator
from typing import Any

from absl import app, logging
from tensorflow_datasets.core import BuilderConfig
from tensorflow_datasets.core import constants as tfds_constants
from tensorflow_datasets.core.utils import tqdm_utils
from tensorflow_datasets.scripts.cli import build as tfds_build
from tensorflow_datasets.scripts.cli import cli_utils

from data_builders.simulation import workers
from data_builders.tfds_backend import dataset_checks
from data_builders.tfds_backend.base_builder import BaseBuilder, DatasetError, field_names, read_metadata  # noqa: F401

_HERE = pathlib.Path(__file__).parent
NAMES = tuple(sorted(path.parent.name for path in _HERE.glob("*/*_dataset_builder.py")))


def get_builder(name: str) -> type[BaseBuilder]:
    """Returns the builder class of the data set `name`; raises DatasetError listing the names there are."""
    if name not in NAMES:
        raise DatasetError(f"unknown data set {name!r}; choose one of {', '.join(NAMES)}")
    return importlib.import_module(_module_name(name)).Builder


def _module_name(name: str) -> str:
    return f"data_builders.{name}.{name}_dataset_builder"


def derive_config(name: str, base: str | BuilderConfig, **overrides) -> BuilderConfig:
    """Returns a configuration of the data set `name` with some fields changed; see `BaseBuilder.derive_config`."""
    return get_builder(name).derive_config(base, **overrides)


def dataset_path(name: str, config: BuilderConfig, data_dir: str | os.PathLike[str] | None = None) -> pathlib.Path:
    """Returns the directory in which a data set is, or would be.

    Args:
      name: a name in `NAMES`.
      config: its configuration.
      data_dir: root of all data sets, by default TFDS's: $TFDS_DATA_DIR or ~/tensorflow_datasets.
    """
    root = pathlib.Path(data_dir or tfds_constants.get_default_data_dir()).expanduser()
    return root / name / config.name / str(config.version or get_builder(name).VERSION)


def ensure_built(
    name: str,
    config: str | BuilderConfig,
    data_dir: str | os.PathLike[str] | None = None,
    num_workers: int | None = None,
) -> pathlib.Path:
    """Builds a data set unless it is there already, and checks that it is whole if it is.

    Before building, prints a line saying where the data go and how big they will be; then shows a progress bar.

    Args:
      name: a name in `NAMES`.
      config: a configuration's name, or a configuration from `derive_config`.
      data_dir: root of all data sets, by default TFDS's: $TFDS_DATA_DIR or ~/tensorflow_datasets.
      num_workers: number of processes, by default $DATA_BUILDERS_NUM_WORKERS or that of the cores; the data do not
        depend on it.

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
            with _progress_bar_on_terminals_only(), workers.number_set_to(num_workers):
                builder.download_and_prepare()
        except OSError as error:  # another process may have finished the same data set first
            if not path.exists():
                raise DatasetError(f"cannot build {name}/{config.name} into {path}: {error}") from error
    check_dataset(path, name, config)
    return path


def check_dataset(path: str | os.PathLike[str], name: str, config: BuilderConfig) -> None:
    """Checks that a data set is whole: its configuration, counts, and whether each record is what was written.

    Args:
      path: the data set's directory.
      name: its name.
      config: what it should hold.

    Raises:
      DatasetError: if something is missing, truncated or different; says what, and how to repair it.
    """
    path = pathlib.Path(path)
    problem = dataset_checks.find_problem(path, config)
    if problem:
        repair = "run the same again"
        if config.name in get_builder(name).builder_configs and len(path.parents) > 2:
            data_dir = shlex.quote(str(path.parents[2]))
            repair = f"python -m data_builders.build {name} --config={config.name} --data_dir={data_dir}"
        raise DatasetError(f"data set {path}: {problem}; to repair: rm -r {shlex.quote(str(path))}, then {repair}")


def _check_destination(path: pathlib.Path, config: BuilderConfig) -> None:
    """Raises DatasetError if the data set directory `path` cannot be made, or its disk is too full."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=path.parent):
            pass
        free = shutil.disk_usage(path.parent).free
    except OSError as error:
        raise DatasetError(f"cannot write to {path.parent}: {error.strerror}; choose another data_dir") from None
    needed = 2 * config.estimated_bytes()  # records wait in a temporary file for their place
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


def _named_config(builder_class: type[BaseBuilder], name: str) -> BuilderConfig:
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
    builder_class: type[BaseBuilder],
    name: str | None,
    options: cli_utils.GenerationOptions,
    overrides: dict[str, Any] | None = None,
) -> list[BuilderConfig]:
    """The configurations that are going to be built."""
    name = name or options.config
    try:
        if name and name.startswith("{"):
            configs = [builder_class.builder_config_cls(**json.loads(name))]
            if configs[0].name in builder_class.builder_configs:
                raise ValueError(f"there is a configuration {configs[0].name} already; give it another name")
        elif name:
            configs = [builder_class.named_config(name)]
        elif options.config_idx is not None:
            configs = [config for i, config in enumerate(builder_class.BUILDER_CONFIGS) if i == options.config_idx]
        else:
            configs = builder_class.BUILDER_CONFIGS[: 1 if overrides else None]
        return [builder_class.derive_config(config, **overrides) for config in configs] if overrides else configs
    except (TypeError, ValueError) as error:
        raise DatasetError(f"--config={name}: {error}" if name and name.startswith("{") else str(error)) from None


@dataclasses.dataclass(frozen=True, kw_only=True)
class Args(tfds_build.Args):
    """Builds the data sets."""

    num_workers: int | None = None
    """Number of processes that make the data, which do not depend on it; by default the number of cores."""

    beam_runner: str | None = None
    """Apache Beam runner that makes the data, DirectRunner, FlinkRunner, ..., instead of processes of this machine."""


def _take_overrides(argv: list[str]) -> tuple[list[str], dict[str, Any]]:
    """Separates `--config.field=value` from the other arguments; a value is JSON, or numbers with commas, or text."""
    others, overrides = [], {}
    for argument in argv:
        flag = re.fullmatch(r"--?config\.([^=]*)(?:=(.*))?", argument, re.DOTALL)
        if not flag:
            others.append(argument)
            continue
        if flag[2] is None:
            raise DatasetError(f"{argument}: give the value after an equals sign, --config.{flag[1]}=VALUE")
        field, _, entry = flag[1].partition(".")
        if entry:
            if not isinstance(overrides.setdefault(field, {}), dict):
                raise DatasetError(f"{argument}: {field} is given twice, whole and in part")
            overrides[field][entry] = _parse_value(flag[2])
        else:
            overrides[field] = _parse_value(flag[2])
    return others, overrides


def _parse_value(text: str) -> Any:
    for candidate in (text, f"[{text}]"):
        with contextlib.suppress(ValueError):
            return json.loads(candidate)
    return text


def _run(args: tfds_build.Args, overrides: dict[str, Any] | None = None) -> None:
    """Checks what `tfds build` would stumble over, has it build, and checks what came out."""
    arguments = args.positional_datasets + args.datasets
    if not arguments:
        raise DatasetError(f"name a data set: {', '.join(NAMES)}")
    wanted = []
    for argument in arguments:
        name, config_name = _split_name(argument)
        for config in _requested_configs(get_builder(name), config_name, args.generation, overrides):
            wanted.append((name, config, dataset_path(name, config, args.paths.data_dir)))
    for _, config, path in wanted:
        if not path.exists():
            _check_destination(path, config)
    if len(wanted) > len(arguments):
        print(f"No --config given, so building {', '.join(f'{name}/{config.name}' for name, config, _ in wanted)}.")
    with _progress_bar_on_terminals_only():
        if overrides:
            for name, config, _ in wanted:
                _execute(args, [name], [name], {"config": _as_flag(name, config), "config_idx": None})
        else:
            names = [name if config is None else f"{name}/{config}" for name, config in map(_split_name, arguments)]
            _execute(args, names, [name for name, _, _ in wanted], {})
    if args.debug.max_examples_per_split is None and not args.generation.file_format:
        for name, config, path in wanted:
            check_dataset(path, name, config)


def _execute(args: tfds_build.Args, names: list[str], modules: list[str], changes: dict[str, Any]) -> None:
    """Runs `tfds build` for these names."""
    imports = ",".join(map(_module_name, modules))  # found by import, the builders have one identity
    generation = dataclasses.replace(args.generation, imports=imports, **changes)
    paths = dataclasses.replace(args.paths, data_dir=args.paths.data_dir.expanduser())
    dataclasses.replace(args, positional_datasets=names, datasets=[], generation=generation, paths=paths).execute()


def _as_flag(name: str, config: BuilderConfig) -> str:
    """A configuration as `tfds build --config` takes it: its name, or JSON if the builder does not know it."""
    if config.name in get_builder(name).builder_configs:
        return config.name
    return json.dumps({"name": config.name, **{field: getattr(config, field) for field in field_names(config)}})


def _with_runner(args: Args) -> Args:
    """The Beam runner, for which `tfds build` has no flag of its own, where it looks for such settings."""
    if args.beam_runner is None:
        return args
    try:
        settings = {**json.loads(args.generation.download_config or "{}"), "beam_runner": args.beam_runner}
    except ValueError as error:
        raise DatasetError(f"--download_config is not JSON: {error}") from None
    generation = dataclasses.replace(args.generation, download_config=json.dumps(settings))
    return dataclasses.replace(args, generation=generation)


def _parse_flags(argv: list[str]) -> tuple[Args, dict[str, Any]]:
    try:
        others, overrides = _take_overrides(argv)
    except DatasetError as error:
        sys.exit(f"error: {error}")
    return cli_utils.make_flags_parser(Args, "Builds the data sets.")(others), overrides


def main(parsed: tuple[Args, dict[str, Any]]) -> None:
    """Runs the command; a `DatasetError` ends it with one line and exit status 1, and so does Ctrl-C, with 130."""
    args, overrides = parsed
    logging.set_verbosity(logging.ERROR)  # TFDS warns about every data set that is not there yet
    try:
        with workers.number_set_to(args.num_workers):
            _run(_with_runner(args), overrides)
    except DatasetError as error:
        sys.exit(f"error: {error}")
    except KeyboardInterrupt:
        print("interrupted; nothing is left of the data set that was being built", file=sys.stderr)
        sys.exit(128 + signal.SIGINT)


if __name__ == "__main__":
    app.run(main, flags_parser=_parse_flags)
