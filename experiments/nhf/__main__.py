"""Trains and evaluates a Neural Hamiltonian Flow: `python -m experiments.nhf --config=four_modes`."""

from experiments.run.program import run
from experiments.tasks import TASKS

if __name__ == "__main__":
    run(TASKS["nhf"])
