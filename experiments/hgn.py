"""Trains and evaluates a Hamiltonian Generative Network: `python -m experiments.hgn --config=mass_spring_small`."""

import time
from collections.abc import Sequence
from typing import Any

import jax
import numpy as np
from absl import flags

from experiments import command_line, evaluate, presets, report
from experiments.command_line import UserError
from experiments.experiment import Experiment, build_dataset, load
from experiments.run_directory import open_run, write_config
from hgn_jax import data, training
from hgn_jax.logs import MetricsWriter
from hgn_jax.progress import progress_bar


def run_experiment(config: presets.Config, workdir: str) -> dict[str, Any]:
    """Builds the data set if it is missing, trains or goes on training, evaluates; returns what `metrics.json` holds.

    Raises:
      UserError, DatasetError: in one line, for all that the user can mend.
    """
    try:
        presets.validate(config, jax.local_device_count())
    except ValueError as error:
        raise UserError(str(error)) from error
    run = open_run(workdir, config)
    dataset = build_dataset(config)
    write_config(run, config)
    experiment = load(run, config, dataset)
    if 0 < experiment.state.step:
        print(f"going on from step {int(experiment.state.step)} of {run.path}")
    if experiment.state.step < config.training.num_steps:
        experiment = train(experiment)
    experiment.checkpoints.close()
    return evaluate.evaluate(experiment)


def train(experiment: Experiment) -> Experiment:
    """Trains to the end, with log, checkpoints and progress bar; raises UserError if the training diverges."""
    config, start_step = experiment.config, int(experiment.state.step)
    seconds_before, start = experiment.seconds["training"], time.monotonic()
    print(f"compiling the training step for {jax.local_device_count()} x {jax.devices()[0].device_kind}")
    batch_at = _sharded_batches(experiment)
    update = training.make_update(experiment.hgn.loss, experiment.optimizer, experiment.geco)
    update = training.compile_for_backend(update, experiment.state, batch_at(start_step))
    frames_per_step = config.training.batch_size * (presets.dataset_config(config).num_steps + 1)
    writer = MetricsWriter(experiment.run.path, start_step)
    bar = progress_bar(config.training.num_steps, "training", "step", start_step)
    clock = {"time": time.monotonic(), "step": start_step}

    def seconds() -> dict[str, float]:
        return {"training": seconds_before + time.monotonic() - start}

    def log(step: int, scalars: training.Scalars) -> None:
        now = time.monotonic()
        speed = (step - clock["step"]) / (now - clock["time"]) * frames_per_step
        clock.update(time=now, step=step)
        writer.write(step, scalars, {"frames_per_second": speed})
        bar.set_postfix_str(f"loss {scalars['loss']:.4g}, {speed:.0f} frames/s", refresh=False)
        bar.update(step - bar.n)

    def save(state: training.TrainState) -> None:
        experiment.checkpoints.save(int(state.step), state, {"seconds": seconds()})

    try:
        state = training.train(update, experiment.state, batch_at, config.training, log=log, save=save)
    except training.DivergenceError as error:
        raise UserError(_divergence_message(experiment, error)) from error
    finally:
        writer.close()
        bar.close()
    return experiment._replace(state=state, seconds=seconds())


def _sharded_batches(experiment: Experiment):
    """The batch of a step for all local devices, with the part of the training that is done."""
    config, num_devices = experiment.config.training, jax.local_device_count()
    batches = data.Batches(experiment.splits["train"], config.batch_size, config.seed)

    def batch_at(step: int) -> training.Batch:
        progress = np.full(config.batch_size, step / config.num_steps, np.float32)
        return training.shard({**batches(step), "progress": progress}, num_devices)

    return batch_at


def _divergence_message(experiment: Experiment, error: training.DivergenceError) -> str:
    last = experiment.checkpoints.latest_step
    kept = f"the last good checkpoint is step {last} in {experiment.run.checkpoints}"
    return (
        f"training diverged: {error}; {'no checkpoint was reached' if last is None else kept}; try a lower "
        "--config.optimizer.learning_rate, a --config.optimizer.gradient_clip such as 1.0, or another "
        "--config.training.seed, with another --workdir"
    )


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
