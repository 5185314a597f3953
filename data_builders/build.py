"""Builds data sets without TensorFlow: `python -m data_builders.build NAME [flags of tfds build]`.

    python -m data_builders.build three_body --config=small --data_dir=DIR
    python -m data_builders.build three_body --config=small --config.dt=0.05 --config.constants.g=2
    python -m data_builders.build three_body --config=paper --num_workers=8
    python -m data_builders.build three_body --config=paper --beam_runner=FnApiRunner

NAME may also be a path, data_builders/three_body. `--config.field=value` changes a field of the configuration, by
default of the first one. Without any of these flags all configurations of NAME are built, as by `tfds build`.
`--num_workers` sets the number of processes, by default the number of cores. `--beam_runner` names an Apache Beam
runner that builds instead, with its options in `--beam_pipeline_options`. Programs call `datasets.ensure_built`.
"""

if __name__ == "__main__":  # before the imports below, which take seconds
    import os

    from data_builders import interruption

    os.environ["JAX_ENABLE_X64"] = "0"  # the precision of the data does not depend on the user's environment
    interruption.install("interrupted; nothing is left of the data set that was being built")

import json
import sys
from collections.abc import Mapping
from typing import Any, NamedTuple

import tensorflow_datasets as tfds
from absl import app, logging

from data_builders import overrides as config_overrides
from data_builders import streams
from data_builders.configs import field_names
from data_builders.datasets import (
    NAMES,
    DatasetError,
    check_dataset,
    check_destination,
    dataset_path,
    derive_config,
    ensure_built,
    get_builder,
    module_name,
    read_metadata,
)
from data_builders.simulation import workers
from data_builders.tfds_backend import build_command, environment

__all__ = ["NAMES", "DatasetError", "check_dataset", "dataset_path", "derive_config", "ensure_built"]
__all__ += ["get_builder", "main", "read_metadata"]


class Request(NamedTuple):
    """A data set to build: its name and its configuration."""

    name: str
    config: tfds.core.BuilderConfig

    @property
    def config_flag(self) -> str:
        """The configuration as `tfds build --config` takes it: its name, or JSON if it is not a named one."""
        if self.config.name in get_builder(self.name).builder_configs:
            return self.config.name
        fields = {field: getattr(self.config, field) for field in field_names(self.config)}
        return json.dumps({"name": self.config.name, **fields})


def split_name(argument: str) -> tuple[str, str | None]:
    """Splits `three_body`, `path/to/three_body` or `three_body/small` into name and configuration."""
    *_, parent, last = ("", *argument.rstrip("/").split("/"))
    if last not in NAMES and parent in NAMES:
        return parent, last.split(":")[0]
    return last, None


def requests(args: build_command.Args, overrides: Mapping[str, Any]) -> list[Request]:
    """Returns the data sets that a command line asks for; raises DatasetError if one of them does not exist."""
    arguments = args.positional_datasets + args.datasets
    if not arguments:
        raise DatasetError(f"name a data set: {', '.join(NAMES)}")
    wanted = []
    for name, config_name in map(split_name, arguments):
        flag = config_name or args.generation.config
        configs = _requested_configs(name, flag, args.generation.config_idx, overrides)
        wanted += [Request(name, config) for config in configs]
    return wanted


def _requested_configs(
    name: str, flag: str | None, index: int | None, overrides: Mapping[str, Any]
) -> list[tfds.core.BuilderConfig]:
    builder_class = get_builder(name)
    is_json = flag is not None and flag.startswith("{")
    try:
        if is_json:
            configs = [builder_class.builder_config_cls(**json.loads(flag))]
            if configs[0].name in builder_class.builder_configs:
                raise ValueError(f"there is a configuration {configs[0].name} already; give it another name")
        elif flag:
            configs = [builder_class.named_config(flag)]
        elif index is not None:
            if not 0 <= index < len(builder_class.BUILDER_CONFIGS):
                raise ValueError(f"--config_idx must lie in 0 to {len(builder_class.BUILDER_CONFIGS) - 1}, got {index}")
            configs = [builder_class.BUILDER_CONFIGS[index]]
        else:
            configs = builder_class.BUILDER_CONFIGS[: 1 if overrides else None]
        return [builder_class.derive_config(config, **overrides) for config in configs] if overrides else configs
    except (TypeError, ValueError) as error:
        raise DatasetError(f"--config={flag}: {error}" if is_json else str(error)) from None


def build(args: build_command.Args, overrides: Mapping[str, Any]) -> None:
    """Builds and checks the data sets that a command line asks for.

    Args:
      args: Its flags.
      overrides: New values of fields of the configurations.

    Raises:
      DatasetError: For mistakes, before anything is built; and if what was built is not complete.
    """
    wanted = requests(args, overrides)
    paths = [dataset_path(*request, args.paths.data_dir) for request in wanted]
    with workers.default_number(args.num_workers):
        for request, path in zip(wanted, paths, strict=True):
            if not path.exists():
                check_destination(path, request.config)
    if len(wanted) > len(args.positional_datasets + args.datasets):
        print(f"No --config given, so building {', '.join(f'{name}/{config.name}' for name, config in wanted)}.")
    with environment.progress_bars_on_terminals_only(), workers.default_number(args.num_workers):
        for request in wanted:
            build_command.execute(args, request.name, module_name(request.name), request.config_flag)
    if args.debug.max_examples_per_split is None and not args.generation.file_format:
        for request, path in zip(wanted, paths, strict=True):
            check_dataset(path, *request)


def parse_flags(argv: list[str]) -> tuple[build_command.Args, dict[str, Any]]:
    """Parses the command line into the flags of `tfds build` and the overrides; exits with one line for mistakes."""
    try:
        rest, overrides = config_overrides.parse_flags(argv)
    except ValueError as error:
        sys.exit(f"error: {error}")
    return build_command.parse_args(rest), overrides


def main(parsed: tuple[build_command.Args, dict[str, Any]]) -> None:
    """Runs the command; a DatasetError ends it with one line and exit status 1."""
    logging.set_verbosity(logging.ERROR)  # TFDS warns about every data set that does not exist yet
    try:
        build(*parsed)
    except DatasetError as error:
        sys.exit(f"error: {error}")
    except MemoryError as error:
        sys.exit(f"error: out of memory: {error}; lower image_size or num_steps, or set --num_workers=1")


if __name__ == "__main__":
    streams.print_any_character()
    with streams.one_line_if_output_fails(status=1):
        app.run(main, flags_parser=parse_flags)
