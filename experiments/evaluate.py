"""Measures a run from its newest checkpoint: `python -m experiments.evaluate --workdir=runs/pendulum`."""

import pathlib
from collections.abc import Sequence

from experiments.run import command_line
from experiments.run.run_directory import (
    RunDirectory,
    define_moved_data,
    lock,
    read_task,
    require_checkpoint,
    require_writable,
)


def main(argv: Sequence[str]) -> None:
    del argv
    from experiments.run import trainer

    directory = _directory()
    with lock(directory, only_reads=directory.output is not None):
        task, run = trainer.restore(directory)
        task.print_summary(trainer.evaluate(task, run))


def check() -> None:
    """Raises UserError if there is no run, the run has no checkpoint, or the results cannot be written."""
    read_task(_directory())
    require_checkpoint(_directory())
    if _OUTPUT.value:
        require_writable(pathlib.Path(_OUTPUT.value), "output", "give another one")
    else:
        require_writable(_directory().path, "workdir", "--output=DIR puts the numbers and the report elsewhere")


def _directory() -> RunDirectory:
    return RunDirectory(_WORKDIR.value, _OUTPUT.value, _MOVED())


if __name__ == "__main__":
    _WORKDIR = command_line.define_path("workdir", None, "Directory of the run.", required=True)
    _OUTPUT = command_line.define_path("output", None, "Directory for metrics.json and report/; by default the run's.")
    _MOVED = define_moved_data()
    command_line.run(main, check=check)
