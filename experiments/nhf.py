"""Trains and evaluates a Neural Hamiltonian Flow: `python -m experiments.nhf --config=four_modes`."""

from collections.abc import Sequence
from typing import Any

import jax
from absl import flags

from experiments import command_line, experiment, nhf_evaluation, nhf_presets
from experiments.nhf_data import load_points
from experiments.run_directory import lock, open_run, write_config


def run_experiment(config: nhf_presets.Config, workdir: str) -> dict[str, Any]:
    """Trains or goes on training, evaluates; returns what `metrics.json` holds.

    Raises:
      UserError: in one line, for all that the user can mend.
    """
    with command_line.user_errors():
        nhf_presets.validate(config, jax.local_device_count())
        points = load_points(config)
    run = open_run(workdir, config)
    with lock(run):
        write_config(run, config)
        flow = nhf_evaluation.load(run, config, points)
        flow = experiment.train(flow, points.batch_at, "point", config.training.batch_size)
        flow.checkpoints.close()
        return nhf_evaluation.evaluate(flow)


def main(argv: Sequence[str]) -> None:
    del argv
    config = _CONFIG.value
    workdir = _WORKDIR.value or f"runs/{config.preset}"
    nhf_evaluation.print_summary(run_experiment(config, workdir))
    print(f"numbers in {workdir}/metrics.json, pictures in {workdir}/report/index.html")


if __name__ == "__main__":
    _CONFIG = command_line.define_config(nhf_presets.get, nhf_presets.PRESETS, "four_modes")
    _WORKDIR = flags.DEFINE_string("workdir", None, "Directory of the run; by default runs/<preset>.")
    command_line.run(main)
