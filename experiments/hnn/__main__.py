"""Trains and evaluates a Hamiltonian Neural Network: `python -m experiments.hnn --config=mass_spring_small`."""

from experiments.run.program import run
from experiments.tasks import TASKS

if __name__ == "__main__":
    run(TASKS["hnn"])
