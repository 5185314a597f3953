"""One training loop for every model.

A model is known here by two functions, `init(key, batch) -> params` and
`loss(params, multiplier, key, batch, *, progress, slots) -> (loss, aux)`. If `aux` holds a `constraint`, GECO turns
it into the next multiplier. `TrainState` is one pytree; together with the step it counts, which is also the position in
the data, it is all that a run needs to continue exactly where it stopped.
"""

import functools
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax.sharding import NamedSharding, PartitionSpec

from hgn_jax.errors import DivergenceError, Stopped
from hgn_jax.training.geco import GECO, GECOState
from hgn_jax.training.training_config import OptimizerConfig, TrainingConfig, validate  # noqa: F401  (used with what is here)

Batch = dict[str, Any]
Loss = Callable[..., tuple[jax.Array, dict[str, jax.Array]]]
Scalars = dict[str, float]

_AXIS = "devices"
# XLA:CPU 0.10 routes 3x3 convolutions to a slow kernel unless told to keep that kernel to matrix products.
_FAST_ON_CPU = {"xla_cpu_experimental_ynn_fusion_type": "LIBRARY_FUSION_TYPE_DOT"}
# What runs once need not run fast: each random draw takes LLVM a second to optimise.
_SOON_COMPILED = {"xla_backend_optimization_level": 1}


class TrainState(NamedTuple):
    """All that changes in training: steps done, parameters, optimiser state, GECO state, and the run's random key."""

    step: jax.Array
    params: Any
    opt_state: optax.OptState
    geco: GECOState
    key: jax.Array


def learning_rate_schedule(config: OptimizerConfig, num_steps: int) -> optax.Schedule:
    """The learning rate as a function of the step."""
    warmup_steps = int(config.warmup_fraction * num_steps)
    if config.schedule == "cosine":
        return optax.warmup_cosine_decay_schedule(0.0, config.learning_rate, warmup_steps, num_steps)
    warmup = optax.linear_schedule(0.0, config.learning_rate, warmup_steps)
    return optax.join_schedules([warmup, optax.constant_schedule(config.learning_rate)], [warmup_steps])


def make_optimizer(config: OptimizerConfig, num_steps: int) -> optax.GradientTransformation:
    """Adam with the schedule of `config`, after a clip of the global gradient norm if there is a limit."""
    clip = optax.identity() if config.gradient_clip is None else optax.clip_by_global_norm(config.gradient_clip)
    return optax.chain(clip, optax.adam(learning_rate_schedule(config, num_steps)))


def init_state(
    init: Callable[..., Any], optimizer: optax.GradientTransformation, geco: GECO, seed: int, batch: Batch
) -> TrainState:
    """The state before the first step; `batch` is any batch of the shapes to come."""

    def build(key):
        init_key, run_key = jax.random.split(key)
        params = init(init_key, batch)
        return TrainState(jnp.int32(0), params, optimizer.init(params), geco.init(), run_key)

    key = jax.random.PRNGKey(seed)
    return compile_for_backend(jax.jit(build), key, cpu_options=_SOON_COMPILED)(key)


def make_update(
    loss: Loss,
    optimizer: optax.GradientTransformation,
    geco: GECO,
    *,
    num_steps: int,
    devices: Sequence[jax.Device] | None = None,
):
    """Returns `(state, batch) -> (state, scalars)`, one data-parallel training step.

    The arrays of the batch are `[local devices, examples per device, ...]`; every device holds the whole state.
    Gradients, the constraint and the scalars are averaged over the devices.

    Args:
      loss: Loss of a model, `(params, multiplier, key, batch, *, progress, slots) -> (loss, aux)`. `progress` is
        `step / num_steps`; `slots` numbers the examples of the global batch in the order of processes and devices.
      optimizer: Optimiser of the parameters.
      geco: Update rule of the multiplier, used if `aux` holds a `constraint`.
      num_steps: Number of steps of the whole training.
      devices: Devices that share a step. Default: all devices of all processes.
    """
    if devices is None:
        # In the order of `hosts.own_part`, so that the examples of a process have consecutive numbers.
        devices = sorted(jax.devices(), key=lambda device: device.process_index)

    def step(state: TrainState, batch: Batch):
        key = jax.random.fold_in(state.key, state.step)
        # XLA divides by a constant by multiplying with its reciprocal, which can miss the last bit; a maximum is none.
        progress = state.step.astype(jnp.float32) / jnp.maximum(state.step, num_steps)
        examples_per_device = len(jax.tree.leaves(batch)[0])
        slots = jax.lax.axis_index(_AXIS) * examples_per_device + jnp.arange(examples_per_device, dtype=jnp.int32)
        objective = jax.value_and_grad(functools.partial(loss, progress=progress, slots=slots), has_aux=True)
        (value, aux), gradient = objective(state.params, state.geco.multiplier, key, batch)
        value, aux, gradient = jax.lax.pmean((value, aux, gradient), _AXIS)
        change, opt_state = optimizer.update(gradient, state.opt_state, state.params)
        scalars = {"loss": value, **aux, "gradient_norm": optax.tree.norm(gradient)}
        multiplier_state = state.geco
        if "constraint" in aux:
            scalars["multiplier"] = state.geco.multiplier
            multiplier_state = geco.update(state.geco, aux["constraint"])
        params = optax.apply_updates(state.params, change)
        return TrainState(state.step + 1, params, opt_state, multiplier_state, state.key), scalars

    return jax.pmap(step, axis_name=_AXIS, in_axes=(None, 0), out_axes=None, devices=devices, donate_argnums=0)


def compile_for_backend(function, *args, cpu_options: dict[str, Any] = _FAST_ON_CPU):
    """Compiles a jitted or pmapped function for `args`, on a CPU with the options that make it fast there."""
    lowered = function.lower(*args)
    if jax.default_backend() == "cpu":
        try:
            return lowered.compile(compiler_options=cpu_options)
        except jax.errors.JaxRuntimeError as error:
            if "INVALID_ARGUMENT" not in str(error):
                raise  # only a jaxlib that does not know the option may go on without it
    return lowered.compile()


def compile_update(update, state: TrainState, batch: Batch):
    """Compiles what `make_update` returned, for a state and a batch of these shapes.

    Returns:
      The same function. It takes each argument from the host, or the state as it returned it, and puts what comes from
      the host on this process's devices.
    """
    compiled = compile_for_backend(update, jax.device_get(state), batch)  # lowering would donate arrays of a device
    mesh = jax.tree.leaves(compiled.input_shardings)[0].mesh

    def place(tree, *axes):
        sharding = NamedSharding(mesh, PartitionSpec(*axes))
        return jax.tree.map(
            lambda x: x if isinstance(x, jax.Array) else jax.make_array_from_process_local_data(sharding, x), tree
        )

    return lambda state, batch: compiled(place(state), place(batch, _AXIS))


def split_among_devices(batch: Batch, num_devices: int) -> Batch:
    """Splits `[batch, ...]` arrays of this process into `[num_devices, batch / num_devices, ...]`."""
    return {name: x.reshape(num_devices, len(x) // num_devices, *x.shape[1:]) for name, x in batch.items()}


def prefetch(batch_at: Callable[[int], Batch], steps: Iterable[int]) -> Iterator[Batch]:
    """Yields `batch_at(step)` for each step, reading the next batch while the current one is used."""
    with ThreadPoolExecutor(1) as pool:
        upcoming = None
        for step in steps:
            current, upcoming = upcoming, pool.submit(batch_at, step)
            if current is not None:
                yield current.result()
        if upcoming is not None:
            yield upcoming.result()


def train(
    update: Callable[[TrainState, Batch], tuple[TrainState, dict[str, jax.Array]]],
    state: TrainState,
    batch_at: Callable[[int], Batch],
    config: TrainingConfig,
    *,
    log: Callable[[int, Scalars], None],
    save: Callable[[TrainState, list[Scalars]], None],
    unlogged: Sequence[Scalars] = (),
    stop: Callable[[int], bool] = lambda step: False,
) -> TrainState:
    """Runs the steps that `state` still lacks of `config.num_steps`.

    Args:
      update: from `make_update`.
      state: where to start or go on; it is consumed.
      batch_at: the batch of a step, split among the devices; a function of the step alone, so a resumed run sees what
        it would have.
      config: length and rhythm.
      log: called every `log_every` steps and after the last with the steps done and the mean scalars since.
      save: called every `checkpoint_every` steps, after the last and when told to stop, with a state known to be
        finite and the scalars of the steps since the last call of `log`.
      unlogged: the scalars that `save` was given with `state`.
      stop: asked after every step, with the steps done; True ends the training.

    Returns:
      The state after the last step.

    Raises:
      DivergenceError: at the first number that is not finite, before the state is saved.
      Stopped: after saving, when told to stop before the last step.
    """
    start = int(state.step)
    rows, pending = list(unlogged), []  # the scalars since the last log, on the host and still on the device
    for step, batch in enumerate(prefetch(batch_at, range(start, config.num_steps)), start + 1):
        state, scalars = update(state, batch)
        pending.append(scalars)
        last = step == config.num_steps
        logs, saves = (step % every == 0 or last for every in (config.log_every, config.checkpoint_every))
        stops = stop(step)
        if logs or stops:
            rows, pending = rows + _finite(jax.device_get(pending), step), []
        if logs:
            log(step, {name: float(np.mean([row[name] for row in rows])) for name in rows[0]})
            rows = []
        if saves or stops:
            save(state, rows)
        if stops and not last:
            raise Stopped(step)
    return state


def _finite(rows: list[dict[str, np.ndarray]], last_step: int) -> list[Scalars]:
    for step, row in enumerate(rows, last_step - len(rows) + 1):
        broken = [name for name, value in row.items() if not np.isfinite(value)]
        if broken:
            raise DivergenceError(step, broken)
    return [{name: float(value) for name, value in row.items()} for row in rows]
