"""The training step: its state, its compilation, and its distribution over devices."""

import functools
from collections.abc import Callable, Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax
from jax.sharding import NamedSharding, PartitionSpec

from hgn_jax.training.compilation import FAST_COMPILATION, compile_for_backend
from hgn_jax.training.geco import GECO, GECOState
from hgn_jax.training.model import Batch, Params

_AXIS = "devices"


class TrainState(NamedTuple):
    """Everything that changes during training, as one pytree.

    Together with the configuration it determines the rest of a run, since `step` is also the position in the data.

    Attributes:
      step: Number of steps done, int32.
      params: Parameters of the model.
      opt_state: State of the optimiser.
      geco: State of the Lagrange multiplier.
      key: Random key of the run.
    """

    step: jax.Array
    params: Params
    opt_state: optax.OptState
    geco: GECOState
    key: jax.Array


Update = Callable[[TrainState, Batch], tuple[TrainState, dict[str, jax.Array]]]


def init_state(
    init: Callable[[jax.Array, Batch], Params],
    optimizer: optax.GradientTransformation,
    geco: GECO,
    seed: int,
    batch: Batch,
) -> TrainState:
    """Returns the state before the first step.

    Args:
      init: Initialisation of the model, `(key, batch) -> params`.
      optimizer: Optimiser of the parameters.
      geco: Update rule of the multiplier.
      seed: Seed of every random number of the run.
      batch: A batch with the shapes of those to come, not split among devices.
    """
    key = jax.random.PRNGKey(seed)
    build = jax.jit(functools.partial(_build_state, init, optimizer, geco))
    return compile_for_backend(build, batch, key, cpu_options=FAST_COMPILATION)(batch, key)


def state_template(
    init: Callable[[jax.Array, Batch], Params],
    optimizer: optax.GradientTransformation,
    geco: GECO,
    seed: int,
    batch: Batch,
) -> TrainState:
    """Returns the structure, shapes and types of `init_state` for the same arguments, without compiling anything.

    The leaves are `jax.ShapeDtypeStruct`.
    """
    key = jax.random.PRNGKey(seed)
    return jax.eval_shape(functools.partial(_build_state, init, optimizer, geco, batch), key)


def _build_state(init, optimizer, geco, batch, key) -> TrainState:
    init_key, run_key = jax.random.split(key)
    params = init(init_key, batch)
    return TrainState(jnp.int32(0), params, optimizer.init(params), geco.init(), run_key)


def make_update(
    loss: Callable[..., tuple[jax.Array, dict[str, jax.Array]]],
    optimizer: optax.GradientTransformation,
    geco: GECO,
    *,
    num_steps: int,
    devices: Sequence[jax.Device] | None = None,
) -> Update:
    """Returns `(state, batch) -> (state, scalars)`, one data-parallel training step.

    The arrays of the batch are `[local devices, examples per device, ...]`; every device holds the whole state.
    Gradients, the constraint and the scalars are averaged over the devices. The state is donated.

    Args:
      loss: Loss of a model, as in `hgn_jax.training.Model`.
      optimizer: Optimiser of the parameters.
      geco: Update rule of the multiplier, applied if `aux` contains a `constraint`.
      num_steps: Number of steps of the whole training, which defines `progress`.
      devices: Devices that share a step. Default: all devices of all processes.
    """
    if devices is None:
        # In the order of `hosts.local_slice`, so that the examples of a process have consecutive numbers.
        devices = sorted(jax.devices(), key=lambda device: device.process_index)

    def step(state: TrainState, batch: Batch):
        key = jax.random.fold_in(state.key, state.step)
        # XLA multiplies by the reciprocal of a constant, which can change the last bit; a maximum is not a constant.
        progress = state.step.astype(jnp.float32) / jnp.maximum(state.step, num_steps)
        examples_per_device = len(jax.tree.leaves(batch)[0])
        slots = jax.lax.axis_index(_AXIS) * examples_per_device + jnp.arange(examples_per_device, dtype=jnp.int32)
        objective = jax.value_and_grad(functools.partial(loss, progress=progress, slots=slots), has_aux=True)
        (value, aux), gradient = objective(state.params, state.geco.multiplier, key, batch)
        value, aux, gradient = jax.lax.pmean((value, aux, gradient), _AXIS)
        change, opt_state = optimizer.update(gradient, state.opt_state, state.params)
        scalars = {"loss": value, **aux, "gradient_norm": optax.tree.norm(gradient)}
        geco_state = state.geco
        if "constraint" in aux:
            scalars["multiplier"] = state.geco.multiplier
            geco_state = geco.update(state.geco, aux["constraint"])
        params = optax.apply_updates(state.params, change)
        return TrainState(state.step + 1, params, opt_state, geco_state, state.key), scalars

    return jax.pmap(step, axis_name=_AXIS, in_axes=(None, 0), out_axes=None, devices=devices, donate_argnums=0)


def compile_update(update: Update, state: TrainState, batch: Batch) -> Update:
    """Compiles the function that `make_update` returned for a state and a split batch of given shapes.

    Returns:
      The compiled function. Arrays of the host are placed on the devices of this process; a state that it returned is
      accepted as it is.
    """
    # From the host, because lowering would donate arrays that are on a device.
    compiled = compile_for_backend(update, jax.device_get(state), batch)
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
