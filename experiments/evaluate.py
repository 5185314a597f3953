"""Measures a run from its newest checkpoint: `python -m experiments.evaluate --workdir=runs/pendulum`."""

import pathlib
from collections.abc import Sequence

from absl import flags

from experiments.run import command_line
from experiments.run.run_directory import RunDirectory, lock, read_task, require_checkpoint


def main(argv: Sequence[str]) -> None:
    del argv
    from experiments.run import trainer

    directory = _directory()
    with lock(directory):
        task, run = trainer.restore(directory)
        task.print_summary(trainer.evaluate(task, run))


def check() -> None:
    """Raises UserError if there is no run, or the run has no checkpoint."""
    read_task(_directory())
    require_checkpoint(_directory())


def _directory() -> RunDirectory:
    return RunDirectory(pathlib.Path(_WORKDIR.value))


if __name__ == "__main__":
    _WORKDIR = flags.DEFINE_string("workdir", None, "Directory of the run.", required=True)
    command_line.run(main, check=check)
