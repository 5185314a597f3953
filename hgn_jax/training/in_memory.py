"""Training on arrays in memory, for those who need neither a run directory nor checkpoints."""

from collections.abc import Callable, Mapping
from typing import Any

import jax
import numpy as np

from hgn_jax.data.batching import BatchOrder
from hgn_jax.data.frames import as_frames
from hgn_jax.training.geco import GECOConfig, geco
from hgn_jax.training.loop import train as train_to_the_end
from hgn_jax.training.model import Batch, Model, Params, Scalars
from hgn_jax.training.optimizer import make_optimizer
from hgn_jax.training.training_config import OptimizerConfig, TrainingConfig, validate
from hgn_jax.training.update import compile_update, init_state, make_update, split_among_devices

_INITIAL_EXAMPLES = 64  # that a model is initialised with
_DEFAULT_OPTIMIZER = OptimizerConfig(learning_rate=1e-3, schedule="cosine", gradient_clip=1.0)


def print_scalars(step: int, scalars: Scalars) -> None:
    """Prints the number of steps done and the mean of each scalar since the last line."""
    print(f"step {step}: " + ", ".join(f"{name} {value:.4g}" for name, value in scalars.items()), flush=True)


def train(
    model: Model,
    data: np.ndarray | Mapping[str, np.ndarray],
    num_steps: int,
    *,
    batch_size: int = 16,
    seed: int = 0,
    optimizer: OptimizerConfig = _DEFAULT_OPTIMIZER,
    multiplier: GECOConfig = GECOConfig(),  # noqa: B008
    log_every: int = 100,
    log: Callable[[int, Scalars], None] | None = print_scalars,
) -> Params:
    """Trains a model on arrays, on all devices of this process.

    Args:
      model: `make_hgn(config)`, `make_hnn(config)`, `make_nhf(config)`, or any other `Model`.
      data: Films `[clips, time, size, size, 3]` for models of frames, or rows `[n, d]` for flows; or all features that
        the model reads by name, each `[examples, ...]`.
      num_steps: Number of optimiser steps.
      batch_size: Number of examples per step, a multiple of the number of devices.
      seed: Seed of the initial parameters, the order of the examples and all random numbers.
      optimizer: Settings of Adam; by default a peak learning rate of 1e-3 that falls to zero along a cosine.
      multiplier: Settings of the Lagrange multiplier, for models with a constraint.
      log_every: Number of steps that are averaged for each call of `log`.
      log: Called with the number of steps done and the scalars by name; None for silence.

    Returns:
      The parameters after the last step.

    Raises:
      ValueError: In one line, before anything is compiled, if the data or the settings cannot be used.
      DivergenceError: If a scalar is no longer finite; it names the step.
    """
    # Nothing is saved, whenever it may be asked for.
    config = TrainingConfig(num_steps, batch_size, seed, log_every, checkpoint_every=log_every)
    devices = jax.local_devices()
    validate(optimizer, config, len(devices))
    arrays = _by_name(data)
    num_examples = len(next(iter(arrays.values())))
    order = BatchOrder(num_examples, batch_size, seed)

    def batch_at(step: int) -> Batch:
        return split_among_devices({name: x[order(step)] for name, x in arrays.items()}, len(devices))

    rule, adam = geco(multiplier), make_optimizer(optimizer, num_steps)
    first = {name: x[:: -(-num_examples // _INITIAL_EXAMPLES)] for name, x in arrays.items()}
    state = jax.device_get(init_state(model.init, adam, rule, seed, first))
    update = make_update(model.loss, adam, rule, num_steps=num_steps, devices=devices)
    state = train_to_the_end(
        compile_update(update, state, batch_at(0)), state, batch_at, config,
        log=log or (lambda step, scalars: None), save=lambda state, unlogged: None,
    )  # fmt: skip
    return jax.device_put(jax.device_get(state.params), devices[0])


def _by_name(data: np.ndarray | Mapping[str, Any]) -> dict[str, np.ndarray]:
    """Returns arrays by the name of their feature; raises ValueError unless they are examples a model can use."""
    if not isinstance(data, Mapping):
        data = {"x" if np.ndim(data) == 2 else "image": data}
    arrays = {name: as_frames(x) if name == "image" else np.asarray(x) for name, x in data.items()}
    if not arrays or any(not x.ndim for x in arrays.values()):
        raise ValueError("the data must be an array [examples, ...], or several by name")
    lengths = {name: len(x) for name, x in arrays.items()}
    if len(set(lengths.values())) > 1:
        raise ValueError(f"the arrays must hold the same number of examples, got {lengths}")
    for name, x in arrays.items():
        if x.dtype.kind not in "buif":
            raise ValueError(f"{name} must hold numbers, got {x.dtype}")
        if not np.isfinite(x).all():
            raise ValueError(f"{name} must be finite")
    return {name: x.astype(np.float32) if x.dtype == np.float64 else x for name, x in arrays.items()}
