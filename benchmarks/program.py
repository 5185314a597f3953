"""The command line that the benchmarks of HGN's training step share."""

from collections.abc import Callable

from absl import flags

from experiments.hgn import presets
from experiments.run import command_line, config_flags


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
