"""Trains and evaluates a Hamiltonian Generative Network: `python -m experiments.hgn --config=mass_spring_small`."""

from collections.abc import Sequence
from typing import Any

import jax
from absl import flags

from experiments import command_line, evaluate, hgn_experiment, presets, report
from experiments.experiment import train
from experiments.run_directory import lock, open_run, write_config
from hgn_jax import data


def run_experiment(config: presets.Config, workdir: str) -> dict[str, Any]:
    """Builds the data set if it is missing, trains or goes on training, evaluates; returns what `metrics.json` holds.

    Raises:
      UserError, DatasetError: in one line, for all that the user can mend.
    """
    with command_line.user_errors():
        presets.validate(config, jax.local_device_count())
    run = open_run(workdir, config)
    dataset = hgn_experiment.build_dataset(config)
    with lock(run):
        write_config(run, config)
        experiment = hgn_experiment.load(run, config, dataset)
        batch_at = data.Batches(experiment.data.splits["train"], config.training.batch_size, config.training.seed)
        frames_per_step = config.training.batch_size * (presets.dataset_config(config).num_steps + 1)
        experiment = train(experiment, batch_at, "frame", frames_per_step)
        experiment.checkpoints.close()
        return evaluate.evaluate(experiment)


def main(argv: Sequence[str]) -> None:
    del argv
    config = _CONFIG.value
    workdir = _WORKDIR.value or f"runs/{config.preset}"
    report.print_summary(run_experiment(config, workdir))
    print(f"numbers in {workdir}/metrics.json, pictures in {workdir}/report")


if __name__ == "__main__":
    _CONFIG = command_line.define_config(presets.get, presets.PRESETS, "mass_spring_small")
    _WORKDIR = flags.DEFINE_string("workdir", None, "Directory of the run; by default runs/<preset>.")
    command_line.run(main)
