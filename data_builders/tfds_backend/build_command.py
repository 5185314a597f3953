"""The `tfds build` command, with two more flags and without TensorFlow."""

import contextlib
import dataclasses
import io
import json
import sys
from collections.abc import Sequence

from tensorflow_datasets.scripts.cli import build as tfds_build
from tensorflow_datasets.scripts.cli import cli_utils

from data_builders.errors import DatasetError


@dataclasses.dataclass(frozen=True, kw_only=True)
class Args(tfds_build.Args):
    """Builds the data sets."""

    num_workers: int | None = None
    """Number of processes that make the data, which do not depend on it; by default the number of cores."""

    beam_runner: str | None = None
    """Apache Beam runner that makes the data, DirectRunner, FlinkRunner, ..., instead of processes of this machine."""


def parse_args(argv: Sequence[str]) -> Args:
    """Parses a command line; exits with one line for flags that there are not, and for values they cannot have."""
    stderr = io.StringIO()
    try:
        with contextlib.redirect_stderr(stderr):  # argparse prints its whole usage before the line that counts
            return cli_utils.make_flags_parser(Args, "Builds the data sets.")(list(argv))
    except SystemExit as end:
        if end.code:
            _, _, problem = stderr.getvalue().strip().rpartition("error: ")
            print(f"error: {' '.join(problem.split())}; --help lists all flags", file=sys.stderr)
        raise


def execute(args: Args, name: str, module: str, config: str) -> None:
    """Builds one data set in one configuration.

    Args:
      args: The flags of the command.
      name: Name of the data set.
      module: Module of its builder. TFDS finds the builder by importing it, so that the class is the same everywhere.
      config: Name of the configuration, or its fields as JSON.

    Raises:
      DatasetError: If `--download_config` is not JSON.
    """
    settings = {"imports": module, "config": config, "config_idx": None}
    if args.beam_runner is not None:  # `tfds build` has no flag for it
        try:
            download_config = json.loads(args.generation.download_config or "{}")
        except ValueError as error:
            raise DatasetError(f"--download_config is not JSON: {error}") from None
        settings["download_config"] = json.dumps({**download_config, "beam_runner": args.beam_runner})
    generation = dataclasses.replace(args.generation, **settings)
    paths = dataclasses.replace(args.paths, data_dir=args.paths.data_dir.expanduser())
    dataclasses.replace(args, positional_datasets=[name], datasets=[], generation=generation, paths=paths).execute()
