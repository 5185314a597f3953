"""Trains and evaluates a Hamiltonian Generative Network: `python -m experiments.hgn --config=mass_spring_small`."""

from collections.abc import Sequence
from typing import Any

from absl import flags

from experiments import command_line, evaluate, hgn_experiment, presets, report
from experiments.experiment import claim, train
from hgn_jax import data, hosts


def run_experiment(config: presets.Config, workdir: str) -> dict[str, Any] | None:
    """Builds the data set if it is missing, trains or goes on training, evaluates.

    Returns:
      What `metrics.json` holds; None in a process that is not the main one.

    Raises:
      UserError, DatasetError: in one line, for all that the user can mend.
    """
    with hosts.together(), command_line.user_errors():
        config = presets.settle(config)
    with claim(workdir, config, presets.validate, hgn_experiment.build_dataset) as (run, dataset):
        experiment = hgn_experiment.load(run, config, dataset)
        size, train_split = config.training.batch_size, experiment.data.splits["train"]
        batch_at = data.Batches(train_split, size, config.training.seed, part=hosts.own_part(size))
        frames_per_step = size * (presets.dataset_config(config).num_steps + 1)
        experiment = train(experiment, batch_at, "frame", frames_per_step)
        return evaluate.evaluate(experiment) if hosts.is_main() else None


def main(argv: Sequence[str]) -> None:
    del argv
    config = _CONFIG.value
    workdir = _WORKDIR.value or f"runs/{config.preset}"
    results = run_experiment(config, workdir)
    if results:
        report.print_summary(results)
        print(f"numbers in {workdir}/metrics.json, pictures in {workdir}/report")


if __name__ == "__main__":
    _CONFIG = command_line.define_config(presets.get, presets.PRESETS, "mass_spring_small")
    _WORKDIR = flags.DEFINE_string("workdir", None, "Directory of the run; by default runs/<preset>.")
    command_line.define_hosts()
    command_line.run(main)
