"""Trains and evaluates a Hamiltonian Generative Network: `python -m experiments.hgn --config=mass_spring_small`."""

from experiments.run.program import run
from experiments.tasks import TASKS

if __name__ == "__main__":
    run(TASKS["hgn"])
