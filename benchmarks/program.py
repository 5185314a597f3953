"""What the command lines of the benchmarks share."""

import pathlib
from collections.abc import Callable

from absl import flags

from experiments.hgn import presets
from experiments.run import command_line, config_flags
from experiments.run.run_directory import require_writable


def output_file(value: str | None) -> pathlib.Path | None:
    """Returns the path that `--output` names, or None; raises UserError if no file can be written there."""
    if not value:
        return None
    path = pathlib.Path(value)
    if path.is_dir() or not path.parent.is_dir():
        raise command_line.UserError(f"--output={path} cannot be written: give a file in a folder that exists")
    require_writable(path.parent, "output", "give another --output")
    return path


def output_folder(value: str | None) -> pathlib.Path | None:
    """Returns the folder that `--output` names, or None; raises UserError if it cannot be written."""
    if not value:
        return None
    path = pathlib.Path(value)
    require_writable(path, "output", "give another --output")
    return path


def run(
    describe: Callable[[presets.Config, int], str], preset: str, repeats: int, help: str, flag: str = "repeats"
) -> None:
    """Runs a benchmark as a program with `--config` and the number of repetitions.

    Args:
      describe: Function of both that returns the text to print.
      preset: Default preset.
      repeats: Default number of repetitions.
      help: Help of the flag for the repetitions.
      flag: Name of that flag.
    """
    config = config_flags.define_config(presets.PRESETS, preset)
    number = flags.DEFINE_integer(flag, repeats, help, lower_bound=1)
    command_line.run(lambda argv: print(describe(config.value, number.value)))
