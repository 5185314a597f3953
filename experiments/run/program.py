"""A program of a task, from its flags to the results of the run: `python -m experiments.hgn` is `run(TASKS["hgn"])`.

No JAX is imported before the flags are checked.
"""

from collections.abc import Sequence
from typing import Any, NoReturn

from data_builders import interruption
from experiments.run import command_line, config_flags
from experiments.run.results import Results
from experiments.tasks import Task
from hgn_jax.training import hosts


def run(task: Task) -> NoReturn:
    """Defines the flags of a task's program and runs it."""
    interruption.install()  # early, so that Ctrl-C ends the program in one line from here on
    config = config_flags.define_config(task.presets, task.default_preset)
    workdir = command_line.define_path("workdir", None, f"Directory of the run; by default {task.run_prefix}<preset>.")
    command_line.define_hosts()

    def main(argv: Sequence[str]) -> None:
        del argv
        directory = workdir.value or f"{task.run_prefix}{config.value.preset}"
        results = execute(task, config.value, directory)
        if results is not None:
            task.print_summary(results)
            print(f"numbers in {directory}/metrics.json, pictures in {directory}/report/index.html")

    command_line.run(main, check=lambda: task.validate(config.value))


def execute(task: Task, config: Any, workdir: str) -> Results | None:
    """Trains a run to its last step, from its newest checkpoint if there is one, and evaluates it.

    Args:
      task: The task.
      config: Its configuration, accepted by `task.validate`.
      workdir: Directory of the run.

    Returns:
      The results; None in a process that is not the main one.

    Raises:
      UserError, DataError: In one line, for whatever the user can mend.
    """
    # Imported here because JAX takes seconds, which neither `--help` nor a mistake should cost.
    from experiments.run import trainer

    with trainer.claim(task, config, workdir) as (directory, config, data):
        trained = trainer.train(task, directory, config, data)
        return trainer.evaluate(task, trained) if hosts.is_main() else None
