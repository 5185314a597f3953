"""What the programs that train and measure a model share beyond their own `run_experiment`."""

import importlib
from collections.abc import Callable, Sequence
from types import ModuleType
from typing import Any

from absl import flags

from experiments.run import command_line

# Program -> the module that measures its runs: `load_run(run)`, `evaluate(experiment)`, `print_summary(results)`.
EVALUATIONS = {
    "hgn": "experiments.hgn.evaluation", "hnn": "experiments.hnn.evaluation", "nhf": "experiments.nhf.evaluation",
}  # fmt: skip


def evaluation(program: str) -> ModuleType:
    """Imports the module that measures the runs of a program; with JAX, which takes seconds."""
    return importlib.import_module(EVALUATIONS[program])


def run(
    presets: ModuleType,
    run_experiment: Callable[[Any, str], dict[str, Any] | None],
    default: str,
    validate: Callable[[Any], None],
    runs: str = "runs/",
) -> None:
    """Defines the flags of a program and runs it.

    Args:
      presets: its module of configurations, with `PRESETS`, `get` and `Config`.
      run_experiment: `(config, workdir)`; returns what is to be summed up, None in a process that does not write.
      default: name of the preset taken without `--config`.
      validate: raises ValueError for a configuration that cannot be, without importing JAX.
      runs: what stands before the name of the preset in the default of `--workdir`.
    """
    config = command_line.define_config(presets.get, presets.PRESETS, default)
    workdir = flags.DEFINE_string("workdir", None, f"Directory of the run; by default {runs}<preset>.")
    command_line.define_hosts()

    def main(argv: Sequence[str]) -> None:
        del argv
        directory = workdir.value or f"{runs}{config.value.preset}"
        results = run_experiment(config.value, directory)
        if results:
            evaluation(presets.Config.program).print_summary(results)
            print(f"numbers in {directory}/metrics.json, pictures in {directory}/report/index.html")

    command_line.run(main, check=lambda: validate(config.value))
