"""Trains and evaluates a Hamiltonian Neural Network: `python -m experiments.hnn --config=mass_spring_small`."""

from typing import Any

from experiments.hnn import presets as hnn_presets
from experiments.run import program
from hgn_jax.training import hosts


def run_experiment(config: hnn_presets.Config, workdir: str) -> dict[str, Any] | None:
    """Builds the data set if it is missing, trains or goes on training, evaluates.

    Returns:
      What `metrics.json` holds; None in a process that is not the main one.

    Raises:
      UserError, DatasetError: in one line, for all that the user can mend.
    """
    # Imported here, as JAX and the rest take seconds, which neither `--help` nor a mistake should cost.
    from experiments.hgn import data as hgn_experiment
    from experiments.hnn import data as hnn_data
    from experiments.hnn import evaluation as hnn_evaluation
    from experiments.run import experiment

    with hgn_experiment.claim(workdir, config, hnn_presets.validate) as (run, config, dataset):
        trained = hnn_evaluation.load(run, config, dataset)
        unit, per_example = hnn_data.unit_of_training(config, trained.data)
        units_per_step = config.training.batch_size * per_example
        trained = experiment.train(trained, hnn_data.batches(trained), unit, units_per_step)
        return hnn_evaluation.evaluate(trained) if hosts.is_main() else None


if __name__ == "__main__":
    program.run(hnn_presets, run_experiment, "mass_spring_small", hnn_presets.validate_fields, runs="runs/hnn_")
