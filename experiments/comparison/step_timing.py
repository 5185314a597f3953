"""How long training steps take on this machine, from a few of them on random frames."""

import statistics
import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np

from experiments.clips.config import dataset_config
from experiments.hnn.data import WINDOW
from hgn_jax import training
from hgn_jax.models.hgn import make_hgn
from hgn_jax.models.hnn import make_hnn
from hgn_jax.training.geco import geco

_STEPS = 3  # that are timed


class Prepared(NamedTuple):
    """A training step, compiled.

    Attributes:
      step: Does one step and returns its scalars. Optionally takes another batch of the same shapes, split among the
        devices.
      compile_seconds: it took.
    """

    step: Callable[..., object]
    compile_seconds: float


def random_batch(config: Any, batch_size: int) -> training.Batch:
    """Frames as a step of a model of frames takes them, `[batch_size, frames, size, size, 3]` uint8."""
    num_frames = WINDOW if config.program == "hnn" else dataset_config(config).num_steps + 1
    shape = (batch_size, num_frames, config.image_size, config.image_size, 3)
    return {"image": np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)}


def prepare(model: Any, config: Any, batch: training.Batch, devices: Sequence[jax.Device]) -> Prepared:
    """Compiles the step of a model, a record with `init` and `loss`, for a batch on some devices of this process."""
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
    """Median wall time of a call, after one that is not counted."""
    jax.block_until_ready(run())
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        jax.block_until_ready(run())
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def seconds_per_step(config: Any) -> float:
    """Of a configuration of `experiments.hgn`, or one of frames of `experiments.hnn`, on this process's devices."""
    model = make_hnn(config) if config.program == "hnn" else make_hgn(config)
    batch = random_batch(config, config.training.batch_size)
    return median_seconds(prepare(model, config, batch, jax.local_devices()).step, _STEPS)
