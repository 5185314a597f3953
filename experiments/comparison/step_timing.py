"""Timing of training steps on this machine, with random frames."""

import dataclasses
import statistics
import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np

from experiments.clips.config import dataset_config
from experiments.clips.data import Clips
from experiments.tasks import TASKS
from hgn_jax import training
from hgn_jax.training.geco import geco

_TIMED_STEPS = 3


class Prepared(NamedTuple):
    """A compiled training step.

    Attributes:
      step: Does one step and returns its scalars. Optionally takes another batch of the same shapes, split among the
        devices.
      compile_seconds: Seconds that the compilation took.
    """

    step: Callable[..., object]
    compile_seconds: float


class _Examples(list):
    """Examples in memory, read as those of a data set."""

    def __getitems__(self, indices: Sequence[int]) -> list[Any]:
        return [self[i] for i in indices]


def random_batch(config: Any, batch_size: int) -> training.Batch:
    """Returns a training batch of a model of frames, of random frames."""
    config = dataclasses.replace(config, training=dataclasses.replace(config.training, batch_size=batch_size))
    shape = (batch_size, dataset_config(config).num_steps + 1, config.image_size, config.image_size, 3)
    frames = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    clips = Clips({"train": _Examples({"image": clip} for clip in frames)}, {})
    return TASKS[config.program].batches(config, clips).batch_at(0)


def prepare(model: Any, config: Any, batch: training.Batch, devices: Sequence[jax.Device]) -> Prepared:
    """Compiles the training step of a model for a batch, on some of this process's devices."""
    optimizer = training.make_optimizer(config.optimizer, config.training.num_steps)
    multiplier = geco(config.geco)
    state = training.init_state(model.init, optimizer, multiplier, config.training.seed, batch)
    split = training.split_among_devices(batch, len(devices))
    update = training.make_update(
        model.loss, optimizer, multiplier, num_steps=config.training.num_steps, devices=devices
    )
    start = time.perf_counter()
    update = training.compile_update(update, state, split)
    compile_seconds = time.perf_counter() - start
    holder = [jax.device_get(state)]  # the step consumes the state it is given

    def step(batch: training.Batch = split):
        holder[0], scalars = update(holder[0], batch)
        return scalars

    return Prepared(step, compile_seconds)


def median_seconds(run: Callable[[], object], repeats: int) -> float:
    """Returns the median wall time of a call, after a first call that is not timed."""
    jax.block_until_ready(run())
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        jax.block_until_ready(run())
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def seconds_per_step(config: Any, repeats: int = _TIMED_STEPS) -> float:
    """Returns the median of seconds per training step of a model of frames, on this process's devices."""
    model = TASKS[config.program].make_model(config)
    batch = random_batch(config, config.training.batch_size)
    return median_seconds(prepare(model, config, batch, jax.local_devices()).step, repeats)
