"""An experiment of any model: what its configuration stands for, and its training."""

import contextlib
import importlib.metadata
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import jax
import optax
from jax.experimental import multihost_utils

from experiments.run.command_line import UserError, user_errors
from experiments.run.run_directory import RunDirectory, lock, open_run, write_config
from experiments.run.training_log import TrainingLog
from hgn_jax.training import hosts
from hgn_jax.training import loop as training
from hgn_jax.training.checkpoints import CheckpointError, Checkpoints, Restored
from hgn_jax.training.geco import GECO, geco, saturation

_VERSIONS = ("jax", "jaxlib", "dm-haiku", "optax", "numpy", "scipy", "tensorflow-datasets")


class Experiment(NamedTuple):
    """An experiment with everything made.

    Attributes:
      run: its directory.
      config: its configuration.
      model: a record of pure functions, with a `loss` as `hgn_jax.training.loop` wants it.
      data: what it is trained and measured on; only the model's own program looks inside.
      optimizer: Adam with its schedule.
      geco: the multiplier's rule.
      checkpoints: its checkpoints; None in a process that is not the main one.
      state: the newest checkpoint's, or that before the first step.
      unlogged: the scalars of the steps between the last row of the metrics and the checkpoint.
      seconds: time trained so far, of the clock (`training`) and of the processor (`training_cpu`).
    """

    run: RunDirectory
    config: Any
    model: Any
    data: Any
    optimizer: optax.GradientTransformation
    geco: GECO
    checkpoints: Checkpoints | None
    state: training.TrainState
    unlogged: list[training.Scalars]
    seconds: dict[str, float]


@contextlib.contextmanager
def claim(
    workdir: str, config: Any, validate: Callable[[Any, int], None], prepare: Callable[[Any], Any]
) -> Iterator[tuple[RunDirectory, Any]]:
    """Checks a configuration, gets its data, and keeps other runs out of the directory for as long as the block lasts.

    Args:
      workdir: the directory.
      config: the configuration.
      validate: `(config, number of devices)`; raises ValueError if it cannot be.
      prepare: makes of the configuration what it is trained on; the main process is the first to call it.

    Yields:
      The run's directory and what `prepare` returned.

    Raises:
      UserError: in one line, for all that the user can mend.
    """
    with hosts.together(), user_errors():
        validate(config, jax.device_count())
        run = open_run(workdir, config)
    with user_errors():
        data = hosts.main_first(lambda: prepare(config))
    with contextlib.ExitStack() as stack:
        with hosts.together():
            stack.enter_context(lock(run))
            write_config(run, config)
        yield run, data


def load(
    run: RunDirectory, config: Any, model: Any, data: Any, init: Callable[..., Any], batch: training.Batch
) -> Experiment:
    """Makes the state before the first step, by `init(key, batch)`, or restores the newest checkpoint."""
    optimizer = training.make_optimizer(config.optimizer, config.training.num_steps)
    multiplier = geco(config.geco)
    state = training.init_state(init, optimizer, multiplier, config.training.seed, batch)
    checkpoints, unlogged, seconds = None, [], {"training": 0.0, "training_cpu": 0.0}
    with hosts.together():
        if hosts.is_main():
            checkpoints = Checkpoints(run.checkpoints)
            if checkpoints.latest_step is not None:
                restored = _restore(run, config, checkpoints, state)
                state, unlogged, seconds = restored.state, restored.notes["unlogged"], restored.notes["seconds"]
    state = hosts.from_main(state)
    return Experiment(run, config, model, data, optimizer, multiplier, checkpoints, state, unlogged, seconds)


def _restore(run: RunDirectory, config: Any, checkpoints: Checkpoints, template: training.TrainState) -> Restored:
    try:
        restored = checkpoints.restore(template)
    except CheckpointError as error:
        raise UserError(f"{error}; to start afresh give another --workdir") from error
    for line in restored.damaged:
        print(f"warning: {line}; going on from the one before", file=sys.stderr)
    print(f"step {int(restored.state.step)} of {config.training.num_steps} of {run.path}")
    return restored


def train(
    experiment: Experiment, batch_at: Callable[[int], training.Batch], unit: str, units_per_step: int
) -> Experiment:
    """Trains to the end, if it is not there yet, with log, checkpoints and progress bar, which the main process writes.

    Args:
      experiment: its state is consumed.
      batch_at: this process's part of the batch of a step, a function of the step alone.
      unit: what the speed is counted in, `units_per_step` of them.

    Returns:
      The experiment with the state after the last step, on the first device of this process.

    Raises:
      UserError: if the training diverges.
    """
    config, start_step = experiment.config.training, int(experiment.state.step)
    if start_step >= config.num_steps:
        return experiment
    wall_start, cpu_start = time.monotonic(), time.process_time()

    def split_batch_at(step: int) -> training.Batch:
        return training.split_among_devices(batch_at(step), jax.local_device_count())

    update = training.make_update(
        experiment.model.loss, experiment.optimizer, experiment.geco, num_steps=config.num_steps
    )
    if hosts.is_main():
        print(f"compiling the training step for {_devices()}")
    state = jax.device_get(experiment.state)
    update = training.compile_update(update, state, split_batch_at(start_step))
    log = TrainingLog(experiment.run, experiment.config, start_step, unit, units_per_step)

    def seconds() -> dict[str, float]:
        return {
            "training": experiment.seconds["training"] + time.monotonic() - wall_start,
            "training_cpu": experiment.seconds["training_cpu"] + time.process_time() - cpu_start,
        }

    def save(state: training.TrainState, unlogged: list[training.Scalars]) -> None:
        if experiment.checkpoints is not None:
            experiment.checkpoints.save(int(state.step), state, {"seconds": seconds(), "unlogged": unlogged})

    try:
        with _terminated() as stop:
            state = training.train(
                update, state, split_batch_at, config,
                log=log, save=save, unlogged=experiment.unlogged, stop=stop,
            )  # fmt: skip
    except training.DivergenceError as error:
        raise UserError(_divergence_message(experiment, error)) from error
    except CheckpointError as error:
        raise UserError(f"{error}; the same command goes on from the last one that was written") from error
    finally:
        log.close()
    state = jax.device_put(jax.device_get(state), jax.local_devices()[0])
    return experiment._replace(state=state, seconds=seconds())


@contextlib.contextmanager
def _terminated() -> Iterator[Callable[[int], bool]]:
    """Whether to stop after a step, since Ctrl-C has come or SIGTERM, which schedulers send ahead of the end.

    Outside of this, and the second time, they end the process at once. Of several processes JAX catches SIGTERM, and
    lets them all stop after the same step.
    """
    if jax.process_count() > 1:
        yield multihost_utils.reached_preemption_sync_point
        return
    if threading.current_thread() is not threading.main_thread():  # where signals cannot be caught
        yield lambda step: False
        return
    event, before = threading.Event(), {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}

    def restore():
        for number, handler in before.items():
            signal.signal(number, handler)

    def remember(*_):
        event.set()
        restore()

    for number in before:
        signal.signal(number, remember)
    try:
        yield lambda step: event.is_set()
    finally:
        restore()


def describe(experiment: Experiment, evaluation_seconds: float) -> dict[str, Any]:
    """What `metrics.json` says of a run beside its numbers."""
    multiplier = float(experiment.state.geco.multiplier)
    return {
        "preset": experiment.config.preset,
        "steps": int(experiment.state.step),
        "seed": experiment.config.training.seed,
        "device": _devices(),
        "multiplier": {"last": multiplier, "saturated": saturation(experiment.config.geco, multiplier)},
        "versions": {name: importlib.metadata.version(name) for name in _VERSIONS},
        "wall_time_s": {"training": experiment.seconds["training"], "evaluation": evaluation_seconds},
        "cpu_time_s": {"training": experiment.seconds["training_cpu"]},
    }


def _devices() -> str:
    processes = f" in {jax.process_count()} processes" if jax.process_count() > 1 else ""
    return f"{jax.device_count()} x {jax.devices()[0].device_kind}{processes}"


def _divergence_message(experiment: Experiment, error: training.DivergenceError) -> str:
    if experiment.checkpoints is None:
        return f"training diverged: {error}"
    last = experiment.checkpoints.latest_step
    kept = f"the last good checkpoint is step {last} in {experiment.run.checkpoints}"
    return (
        f"training diverged: {error}; {'no checkpoint was reached' if last is None else kept}; try a lower "
        "--config.optimizer.learning_rate, a --config.optimizer.gradient_clip such as 1.0, or another "
        "--config.training.seed, with another --workdir"
    )
