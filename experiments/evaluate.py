"""Measures a run from its newest checkpoint: `python -m experiments.evaluate --workdir=runs/pendulum`."""

import pathlib
from collections.abc import Sequence

from absl import flags

from experiments.run import command_line, program
from experiments.run.run_directory import RunDirectory, lock, read_program, require_checkpoint


def main(argv: Sequence[str]) -> None:
    del argv
    run = _run()
    module = program.evaluation(read_program(run))
    with lock(run):
        module.print_summary(module.evaluate(module.load_run(run)))


def _run() -> RunDirectory:
    return RunDirectory(pathlib.Path(_WORKDIR.value))


def check() -> None:
    """Raises UserError if there is no run, or no checkpoint of it."""
    read_program(_run())
    require_checkpoint(_run())


if __name__ == "__main__":
    _WORKDIR = flags.DEFINE_string("workdir", None, "Directory of the run.", required=True)
    command_line.run(main, check=check)
