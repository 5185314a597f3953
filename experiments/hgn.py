"""Trains and evaluates a Hamiltonian Generative Network: `python -m experiments.hgn --config=mass_spring_small`."""

import time
from collections.abc import Sequence

import jax
import numpy as np
from absl import flags

from data_builders import build
from experiments import command_line, evaluate, presets, report
from experiments.command_line import UserError
from experiments.run_directory import RunDirectory, open_run, write_config
from hgn_jax import data, training
from hgn_jax.checkpoints import Checkpoints
from hgn_jax.geco import geco
from hgn_jax.hgn import make_hgn
from hgn_jax.logs import MetricsWriter
from hgn_jax.progress import progress_bar


def run_experiment(config: presets.Config, workdir: str) -> dict:
    """Builds the data set if it is missing, trains or goes on training, evaluates; returns what `metrics.json` holds.

    Raises:
      UserError, DatasetError: in one line, for all that the user can mend.
    """
    num_devices = jax.local_device_count()
    try:
        presets.validate(config, num_devices)
    except ValueError as error:
        raise UserError(str(error)) from error
    run = open_run(workdir, config)
    path = build.ensure_built(config.data.name, presets.dataset_config(config), config.data.data_dir)
    splits, metadata = data.open_dataset(path)
    write_config(run, config)

    hgn = make_hgn(config)
    optimizer = training.make_optimizer(config.optimizer, config.training.num_steps)
    multiplier = geco(config.geco)
    example = data.stack(splits["train"], [0], ("image",))
    state = training.init_state(hgn.init, optimizer, multiplier, config.training.seed, example)
    checkpoints = Checkpoints(run.checkpoints)
    seconds = {"training": 0.0}
    if checkpoints.latest_step is not None:
        state, notes = checkpoints.restore(state)
        seconds = notes["seconds"]
        print(f"going on from step {int(state.step)} of {run.path}")

    batches = data.Batches(splits["train"], config.training.batch_size, config.training.seed)
    update = training.make_update(hgn.loss, optimizer, multiplier)

    def batch_at(step: int):
        progress = np.full(config.training.batch_size, step / config.training.num_steps, np.float32)
        return training.shard({**batches(step), "progress": progress}, num_devices)

    state = _train(run, config, update, state, batch_at, checkpoints, seconds)
    checkpoints.close()
    return evaluate.evaluate(run, evaluate.LoadedRun(config, hgn, state, seconds, splits, metadata))


def _train(run: RunDirectory, config: presets.Config, update, state, batch_at, checkpoints: Checkpoints, seconds):
    """Runs the training loop with its log, checkpoints and progress bar; adds the time it took to `seconds`."""
    start_step = int(state.step)
    if start_step >= config.training.num_steps:
        return state
    print(f"compiling the training step for {jax.local_device_count()} x {jax.devices()[0].device_kind}")
    begin, before = time.monotonic(), seconds["training"]
    update = training.compile_for_backend(update, state, batch_at(start_step))
    writer = MetricsWriter(run.path, start_step)
    bar = progress_bar(config.training.num_steps, "training", "step", start_step)
    frames_per_step = config.training.batch_size * presets.dataset_config(config).num_steps + config.training.batch_size
    clock = {"time": time.monotonic(), "step": start_step}

    def log(step, scalars):
        now = time.monotonic()
        speed = (step - clock["step"]) / (now - clock["time"])
        clock.update(time=now, step=step)
        writer.write(step, scalars, {"frames_per_second": speed * frames_per_step})
        bar.set_postfix_str(f"loss {scalars['loss']:.4g}, {speed * frames_per_step:.0f} frames/s", refresh=False)
        bar.update(step - bar.n)

    def save(state):
        seconds["training"] = before + time.monotonic() - begin
        checkpoints.save(int(state.step), state, {"seconds": seconds})

    try:
        return training.train(update, state, batch_at, config.training, log=log, save=save)
    except training.DivergenceError as error:
        last = checkpoints.latest_step
        kept = (
            "no checkpoint was reached"
            if last is None
            else f"the last good checkpoint is step {last} in {run.checkpoints}"
        )
        raise UserError(
            f"training diverged: {error}; {kept}; try a lower --config.optimizer.learning_rate, a "
            "--config.optimizer.gradient_clip such as 1.0, or another --config.training.seed, with another --workdir"
        ) from error
    finally:
        writer.close()
        bar.close()


def main(argv: Sequence[str]) -> None:
    del argv
    config = _CONFIG.value
    workdir = _WORKDIR.value or f"runs/{config.preset}"
    report.print_summary(run_experiment(config, workdir))
    print(f"numbers in {workdir}/metrics.json, pictures in {workdir}/report")


if __name__ == "__main__":
    _CONFIG = command_line.define_config(presets.get, "mass_spring_small")
    _WORKDIR = flags.DEFINE_string("workdir", None, "Directory of the run; by default runs/<preset>.")
    command_line.run(main)
