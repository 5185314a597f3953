"""Training, restoring and evaluating a run of any task."""

import contextlib
import dataclasses
import importlib.metadata
import json
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import jax
import numpy as np
from jax.experimental import multihost_utils

from experiments.run.command_line import UserError, user_errors
from experiments.run.results import Multiplier, Results, RunFacts, write_results
from experiments.run.run_directory import (
    RunDirectory,
    lock,
    open_run,
    read_config,
    read_task,
    require_checkpoint,
    write_config,
)
from experiments.run.training_log import TrainingLog
from experiments.tasks import Task
from hgn_jax import training
from hgn_jax.config_checks import absolute_paths
from hgn_jax.errors import DivergenceError
from hgn_jax.training import Batch, Model, Scalars, hosts
from hgn_jax.training.checkpoints import CheckpointError, Checkpoints
from hgn_jax.training.geco import GECO, geco, saturation

_LIBRARIES = ("jax", "jaxlib", "dm-haiku", "optax", "numpy", "scipy", "tensorflow-datasets")


class Run(NamedTuple):
    """A run with its model and data, trained or restored.

    Attributes:
      directory: Its directory.
      config: Its configuration.
      model: The model, a record of pure functions.
      data: The data, of the task's own type.
      state: State of the training; `state.params` are the parameters.
      seconds: Time spent on training so far: `training` by the clock, `training_cpu` of the processor.
    """

    directory: RunDirectory
    config: Any
    model: Model
    data: Any
    state: training.TrainState
    seconds: dict[str, float]


class _Progress(NamedTuple):
    """Progress of a run: its state, the scalars since the last row of its metrics, and the seconds it took."""

    state: training.TrainState
    unlogged: list[Scalars]
    seconds: dict[str, float]


@contextlib.contextmanager
def claim(task: Task, config: Any, workdir: str) -> Iterator[tuple[RunDirectory, Any, Any]]:
    """Opens the data of a run and keeps other processes out of its directory for as long as the block lasts.

    Args:
      task: The task.
      config: The configuration.
      workdir: The directory.

    Yields:
      The directory, the resolved configuration, and the data. The main process opens the data first, so that the
      others find what it has built.

    Raises:
      UserError: In one line, for whatever the user can mend.
    """
    with hosts.fail_together(), user_errors():
        config = task.resolve(absolute_paths(config))
        training.validate(config.optimizer, config.training, jax.device_count())
        directory = open_run(workdir, config)
    with user_errors():
        data = hosts.main_first(lambda: task.open_data(config))
    with hosts.fail_together():
        if config.training.init_from and hosts.is_main() and not directory.checkpoints.exists():
            _require_parameters(task, config, data)
    with contextlib.ExitStack() as stack:
        with hosts.fail_together():
            stack.enter_context(lock(directory))
            write_config(directory, config)
            if hosts.is_main():
                task.keep(directory, data)
        yield directory, config, data


def _require_parameters(task: Task, config: Any, data: Any) -> None:
    """Raises UserError if there are no parameters to start with in `training.init_from`, or those of another model."""
    source = RunDirectory(config.training.init_from)
    read_config(source, task.config_class)
    require_checkpoint(source)
    example = task.batches(config, data).example
    _read_parameters(config, jax.eval_shape(task.make_model(config).init, jax.random.PRNGKey(0), example))


def _read_parameters(config: Any, template: Any) -> Any:
    try:
        return Checkpoints(RunDirectory(config.training.init_from).checkpoints).read_params(template)
    except (CheckpointError, FileNotFoundError) as error:
        raise UserError(f"--config.training.init_from={config.training.init_from}: {error}") from error


def train(task: Task, directory: RunDirectory, config: Any, data: Any) -> Run:
    """Trains a run from its newest checkpoint, or from the start, to the last step.

    The main process writes the log, the checkpoints and the progress bar.

    Returns:
      The run with the state after the last step, on the first device of this process.

    Raises:
      UserError: If the training diverges, or no checkpoint can be restored or written.
    """
    model, batches = task.make_model(config), task.batches(config, data)
    optimizer = training.make_optimizer(config.optimizer, config.training.num_steps)
    multiplier = geco(config.geco)
    checkpoints = Checkpoints(directory.checkpoints) if hosts.is_main() else None
    progress = _start_or_restore(directory, config, model, optimizer, multiplier, batches.example, checkpoints)
    run = Run(directory, config, model, data, progress.state, progress.seconds)
    start_step = int(run.state.step)
    if start_step >= config.training.num_steps:
        return run
    wall_start, cpu_start = time.monotonic(), time.process_time()

    def seconds() -> dict[str, float]:
        return {
            "training": progress.seconds["training"] + time.monotonic() - wall_start,
            "training_cpu": progress.seconds["training_cpu"] + time.process_time() - cpu_start,
        }

    kept = json.loads(json.dumps(dataclasses.asdict(config)))  # in case that a power failure damages config.json

    def save(state: training.TrainState, unlogged: list[Scalars]) -> None:
        if checkpoints is not None:
            checkpoints.save(int(state.step), state, {"seconds": seconds(), "unlogged": unlogged, "config": kept})

    def device_batch_at(step: int) -> Batch:
        return training.split_among_devices(batches.batch_at(step), jax.local_device_count())

    if hosts.is_main():
        print(f"compiling the training step for {_describe_devices()}")
    update = training.make_update(model.loss, optimizer, multiplier, num_steps=config.training.num_steps)
    state = jax.device_get(run.state)
    update = training.compile_update(update, state, device_batch_at(start_step))
    log = TrainingLog(directory, config.training, start_step, batches)
    try:
        with _stop_requests() as stop:
            state = training.train(
                update, state, device_batch_at, config.training,
                log=log, save=save, unlogged=progress.unlogged, stop=stop,
            )  # fmt: skip
    except DivergenceError as error:
        raise UserError(_divergence_message(directory, checkpoints, error)) from error
    except CheckpointError as error:
        raise UserError(f"{error}; the same command goes on from the last one that was written") from error
    finally:
        log.close()
    state = jax.device_put(jax.device_get(state), jax.local_devices()[0])
    return run._replace(state=state, seconds=seconds())


def restore(directory: RunDirectory) -> tuple[Task, Run]:
    """Reads a run back from its directory, with the state of its newest checkpoint.

    Raises:
      UserError, DataError: If the run, its checkpoint or its data are not there or damaged.
    """
    task = read_task(directory)
    config = read_config(directory, task.config_class)
    require_checkpoint(directory)
    with user_errors():
        data = task.open_data(config)
    model, batches = task.make_model(config), task.batches(config, data)
    optimizer = training.make_optimizer(config.optimizer, config.training.num_steps)
    checkpoints = Checkpoints(directory.checkpoints)
    progress = _start_or_restore(directory, config, model, optimizer, geco(config.geco), batches.example, checkpoints)
    return task, Run(directory, config, model, data, progress.state, progress.seconds)


def _start_or_restore(
    directory: RunDirectory,
    config: Any,
    model: Model,
    optimizer: Any,
    multiplier: GECO,
    example: Batch,
    checkpoints: Checkpoints | None,
) -> _Progress:
    """The progress at the newest checkpoint, or the start; of several processes all get the main one's state."""
    arguments = (model.init, optimizer, multiplier, config.training.seed, example)
    template = training.state_template(*arguments)
    seconds = {"training": 0.0, "training_cpu": 0.0}
    progress = _Progress(jax.tree.map(lambda x: np.zeros(x.shape, x.dtype), template), [], seconds)
    with hosts.fail_together():
        if checkpoints is not None and checkpoints.latest_step is not None:
            progress = _restore(directory, config, checkpoints, template)
        elif checkpoints is not None:
            state = training.init_state(*arguments)
            if config.training.init_from:
                state = state._replace(params=_read_parameters(config, state.params))
            progress = _Progress(state, [], seconds)
    return progress._replace(state=hosts.broadcast_from_main(progress.state))


def _restore(
    directory: RunDirectory, config: Any, checkpoints: Checkpoints, template: training.TrainState
) -> _Progress:
    try:
        restored = checkpoints.restore(template)
    except CheckpointError as error:
        raise UserError(
            f"{error}; to start afresh give another --workdir, or delete {directory.checkpoints}"
        ) from error
    for line in restored.damaged:
        print(f"warning: {line}; going on from the one before", file=sys.stderr)
    print(f"step {int(restored.state.step)} of {config.training.num_steps} of {directory.path}")
    return _Progress(restored.state, restored.notes["unlogged"], restored.notes["seconds"])


@contextlib.contextmanager
def _stop_requests() -> Iterator[Callable[[int], bool]]:
    """Yields a function that says after a step whether to stop, because of Ctrl-C or a scheduler's SIGTERM.

    The second signal ends the process at once, as does any outside of this block. Where several processes train
    together, JAX catches SIGTERM and lets all of them stop after the same step.
    """
    if jax.process_count() > 1:
        yield multihost_utils.reached_preemption_sync_point
        return
    if threading.current_thread() is not threading.main_thread():  # where signals cannot be caught
        yield lambda step: False
        return
    requested = threading.Event()
    handlers = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}

    def restore_handlers() -> None:
        for number, handler in handlers.items():
            signal.signal(number, handler)

    def request(*_: Any) -> None:
        requested.set()
        restore_handlers()

    for number in handlers:
        signal.signal(number, request)
    try:
        yield lambda step: requested.is_set()
    finally:
        restore_handlers()


def evaluate(task: Task, run: Run) -> Results:
    """Measures a trained run, writes its `metrics.json` and its report, and returns the results."""
    run.directory.report.parent.mkdir(parents=True, exist_ok=True)
    evaluation = task.evaluate(run)
    write_results(run.directory.metrics, evaluation.results)
    print("drawing the report")
    task.report(run, evaluation)
    return evaluation.results


def facts(run: Run, start: float) -> RunFacts:
    """Returns facts about a run for its results; `start` is the `time.monotonic()` at which its evaluation began."""
    multiplier = None
    if run.state.geco.count:  # 0 where the loss has no constraint
        last = float(run.state.geco.multiplier)
        multiplier = Multiplier(last=last, saturated=saturation(run.config.geco, last))
    return RunFacts(
        preset=run.config.preset,
        steps=int(run.state.step),
        seed=run.config.training.seed,
        device=_describe_devices(),
        versions={name: importlib.metadata.version(name) for name in _LIBRARIES},
        wall_time_s={"training": run.seconds["training"], "evaluation": time.monotonic() - start},
        cpu_time_s={"training": run.seconds["training_cpu"]},
        multiplier=multiplier,
    )


def _describe_devices() -> str:
    processes = f" in {jax.process_count()} processes" if jax.process_count() > 1 else ""
    return f"{jax.device_count()} x {jax.devices()[0].device_kind}{processes}"


def _divergence_message(directory: RunDirectory, checkpoints: Checkpoints | None, error: DivergenceError) -> str:
    if checkpoints is None:
        return f"training diverged: {error}"
    last = checkpoints.latest_step
    kept = f"the last good checkpoint is step {last} in {directory.checkpoints}"
    return (
        f"training diverged: {error}; {'no checkpoint was reached' if last is None else kept}; try a lower "
        "--config.optimizer.learning_rate, a --config.optimizer.gradient_clip such as 1.0, or another "
        "--config.training.seed, with another --workdir"
    )
