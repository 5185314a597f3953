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
import numpy as np
import optax

from experiments.command_line import UserError
from experiments.run_directory import RunDirectory
from hgn_jax import training
from hgn_jax.checkpoints import CheckpointError, Checkpoints
from hgn_jax.geco import GECO, geco
from hgn_jax.logs import MetricsWriter
from hgn_jax.progress import progress_bar

_VERSIONS = ("jax", "jaxlib", "dm-haiku", "optax", "numpy", "scipy", "tensorflow-datasets")


class Experiment(NamedTuple):
    """An experiment with everything made.

    Attributes:
      run: its directory.
      config: its configuration.
      model: a record of pure functions, with a `loss` as `hgn_jax.training` wants it.
      data: what it is trained and measured on; only the model's own program looks inside.
      optimizer: Adam with its schedule.
      geco: the multiplier's rule.
      checkpoints: its checkpoints.
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
    checkpoints: Checkpoints
    state: training.TrainState
    unlogged: list[training.Scalars]
    seconds: dict[str, float]


def load(
    run: RunDirectory, config: Any, model: Any, data: Any, init: Callable[..., Any], batch: training.Batch
) -> Experiment:
    """Makes the state before the first step, by `init(key, batch)`, or restores the newest checkpoint."""
    optimizer = training.make_optimizer(config.optimizer, config.training.num_steps)
    multiplier = geco(config.geco)
    state = training.init_state(init, optimizer, multiplier, config.training.seed, batch)
    checkpoints, unlogged, seconds = Checkpoints(run.checkpoints), [], {"training": 0.0, "training_cpu": 0.0}
    if checkpoints.latest_step is not None:
        try:
            restored = checkpoints.restore(state)
        except CheckpointError as error:
            raise UserError(f"{error}; to start afresh give another --workdir") from error
        state, unlogged, seconds = restored.state, restored.notes["unlogged"], restored.notes["seconds"]
        for line in restored.damaged:
            print(f"warning: {line}; going on from the one before", file=sys.stderr)
        print(f"step {int(state.step)} of {config.training.num_steps} of {run.path}")
    return Experiment(run, config, model, data, optimizer, multiplier, checkpoints, state, unlogged, seconds)


def train(
    experiment: Experiment, batch_at: Callable[[int], training.Batch], unit: str, units_per_step: int
) -> Experiment:
    """Trains to the end, if it is not there yet, with log, checkpoints and progress bar.

    Args:
      experiment: its state is consumed.
      batch_at: the batch of a step, a function of the step alone.
      unit: what the speed is counted in, `units_per_step` of them.

    Raises:
      UserError: if the training diverges.
    """
    config, start_step = experiment.config.training, int(experiment.state.step)
    if start_step >= config.num_steps:
        return experiment
    wall_start, cpu_start = time.monotonic(), time.process_time()
    print(f"compiling the training step for {jax.local_device_count()} x {jax.devices()[0].device_kind}")
    batch_at = _sharded(batch_at, config)
    update = training.make_update(experiment.model.loss, experiment.optimizer, experiment.geco)
    update = training.compile_for_backend(update, experiment.state, batch_at(start_step))
    writer = MetricsWriter(experiment.run.path, start_step)
    bar = progress_bar(config.num_steps, "training", "step", start_step)
    clock = {"time": time.monotonic(), "step": start_step}

    def seconds() -> dict[str, float]:
        return {
            "training": experiment.seconds["training"] + time.monotonic() - wall_start,
            "training_cpu": experiment.seconds["training_cpu"] + time.process_time() - cpu_start,
        }

    def log(step: int, scalars: training.Scalars) -> None:
        now = time.monotonic()
        speed = (step - clock["step"]) / (now - clock["time"]) * units_per_step
        clock.update(time=now, step=step)
        writer.write(step, scalars, {f"{unit}s_per_second": speed})
        bar.set_postfix_str(f"loss {scalars['loss']:.4g}, {speed:.0f} {unit}s/s", refresh=False)
        bar.update(step - bar.n)

    def save(state: training.TrainState, unlogged: list[training.Scalars]) -> None:
        experiment.checkpoints.save(int(state.step), state, {"seconds": seconds(), "unlogged": unlogged})

    try:
        with _terminated() as stop:
            state = training.train(
                update, experiment.state, batch_at, config,
                log=log, save=save, unlogged=experiment.unlogged, stop=stop,
            )  # fmt: skip
    except training.DivergenceError as error:
        raise UserError(_divergence_message(experiment, error)) from error
    finally:
        writer.close()
        bar.close()
    return experiment._replace(state=state, seconds=seconds())


@contextlib.contextmanager
def _terminated() -> Iterator[Callable[[], bool]]:
    """Whether SIGTERM has come, as schedulers send it before they take a machine away; outside of this it kills."""
    if threading.current_thread() is not threading.main_thread():  # where signals cannot be caught
        yield lambda: False
        return
    event = threading.Event()
    before = signal.signal(signal.SIGTERM, lambda *_: event.set())
    try:
        yield event.is_set
    finally:
        signal.signal(signal.SIGTERM, before)


def describe(experiment: Experiment, evaluation_seconds: float) -> dict[str, Any]:
    """What `metrics.json` says of a run beside its numbers."""
    return {
        "preset": experiment.config.preset,
        "steps": int(experiment.state.step),
        "seed": experiment.config.training.seed,
        "device": f"{jax.local_device_count()} x {jax.devices()[0].device_kind}",
        "versions": {name: importlib.metadata.version(name) for name in _VERSIONS},
        "wall_time_s": {"training": experiment.seconds["training"], "evaluation": evaluation_seconds},
        "cpu_time_s": {"training": experiment.seconds["training_cpu"]},
    }


def _sharded(
    batch_at: Callable[[int], training.Batch], config: training.TrainingConfig
) -> Callable[[int], training.Batch]:
    """The batch of a step for all local devices, with the part of the training that is done."""
    num_devices = jax.local_device_count()

    def sharded_batch_at(step: int) -> training.Batch:
        progress = np.full(config.batch_size, step / config.num_steps, np.float32)
        return training.shard({**batch_at(step), "progress": progress}, num_devices)

    return sharded_batch_at


def _divergence_message(experiment: Experiment, error: training.DivergenceError) -> str:
    last = experiment.checkpoints.latest_step
    kept = f"the last good checkpoint is step {last} in {experiment.run.checkpoints}"
    return (
        f"training diverged: {error}; {'no checkpoint was reached' if last is None else kept}; try a lower "
        "--config.optimizer.learning_rate, a --config.optimizer.gradient_clip such as 1.0, or another "
        "--config.training.seed, with another --workdir"
    )
