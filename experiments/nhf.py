"""Trains and evaluates a Neural Hamiltonian Flow: `python -m experiments.nhf --config=four_modes`."""

from collections.abc import Sequence
from typing import Any

from absl import flags

from experiments import command_line, experiment, nhf_evaluation, nhf_presets
from experiments.nhf_data import load_points
from hgn_jax import hosts


def run_experiment(config: nhf_presets.Config, workdir: str) -> dict[str, Any] | None:
    """Trains or goes on training, evaluates.

    Returns:
      What `metrics.json` holds; None in a process that is not the main one.

    Raises:
      UserError: in one line, for all that the user can mend.
    """
    with experiment.claim(workdir, config, nhf_presets.validate, load_points) as (run, points):
        flow = nhf_evaluation.load(run, config, points)
        flow = experiment.train(flow, points.batch_at, "point", config.training.batch_size)
        return nhf_evaluation.evaluate(flow) if hosts.is_main() else None


def main(argv: Sequence[str]) -> None:
    del argv
    config = _CONFIG.value
    workdir = _WORKDIR.value or f"runs/{config.preset}"
    results = run_experiment(config, workdir)
    if results:
        nhf_evaluation.print_summary(results)
        print(f"numbers in {workdir}/metrics.json, pictures in {workdir}/report/index.html")


if __name__ == "__main__":
    _CONFIG = command_line.define_config(nhf_presets.get, nhf_presets.PRESETS, "four_modes")
    _WORKDIR = flags.DEFINE_string("workdir", None, "Directory of the run; by default runs/<preset>.")
    command_line.define_hosts()
    command_line.run(main)
