"""Trains and evaluates a Hamiltonian Generative Network: `python -m experiments.hgn --config=mass_spring_small`."""

from typing import Any

from experiments.hgn import presets
from experiments.run import program
from hgn_jax.training import hosts


def run_experiment(config: presets.Config, workdir: str) -> dict[str, Any] | None:
    """Builds the data set if it is missing, trains or goes on training, evaluates.

    Returns:
      What `metrics.json` holds; None in a process that is not the main one.

    Raises:
      UserError, DatasetError: in one line, for all that the user can mend.
    """
    # Imported here, as JAX and the rest take seconds, which neither `--help` nor a mistake should cost.
    from experiments.hgn import data as hgn_experiment
    from experiments.hgn import evaluation as hgn_evaluation
    from experiments.run import experiment

    with hgn_experiment.claim(workdir, config, presets.validate) as (run, config, dataset):
        trained = hgn_experiment.load(run, config, dataset)
        frames_per_step = config.training.batch_size * (presets.dataset_config(config).num_steps + 1)
        batch_at = hgn_experiment.batches(config, trained.data.splits["train"])
        trained = experiment.train(trained, batch_at, "frame", frames_per_step)
        return hgn_evaluation.evaluate(trained) if hosts.is_main() else None


if __name__ == "__main__":
    program.run(presets, run_experiment, "mass_spring_small", presets.validate_fields)
