"""Trains and evaluates a Neural Hamiltonian Flow: `python -m experiments.nhf --config=four_modes`."""

from typing import Any

from experiments.nhf import presets as nhf_presets
from experiments.run import program
from hgn_jax.training import hosts


def run_experiment(config: nhf_presets.Config, workdir: str) -> dict[str, Any] | None:
    """Trains or goes on training, evaluates.

    Returns:
      What `metrics.json` holds; None in a process that is not the main one.

    Raises:
      UserError: in one line, for all that the user can mend.
    """
    # Imported here, as JAX and the rest take seconds, which neither `--help` nor a mistake should cost.
    from experiments.nhf import evaluation as nhf_evaluation
    from experiments.nhf.data import load_points
    from experiments.run import experiment

    with experiment.claim(workdir, config, nhf_presets.validate, load_points) as (run, points):
        flow = nhf_evaluation.load(run, config, points)
        flow = experiment.train(flow, points.batch_at, "point", config.training.batch_size)
        return nhf_evaluation.evaluate(flow) if hosts.is_main() else None


if __name__ == "__main__":
    program.run(nhf_presets, run_experiment, "four_modes", nhf_presets.validate)
