"""Runs the toy task as a program: `python -m tests.experiments.toy --config=line`."""

from experiments.run.program import run
from experiments.tasks import TASKS
from tests.experiments.toy import MODULE, NAME

if __name__ == "__main__":
    TASKS.modules[NAME] = MODULE
    task = TASKS[NAME]
    print("started", flush=True)
    run(task)
