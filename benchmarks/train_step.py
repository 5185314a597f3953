"""Times a training step: `python -m benchmarks.train_step [--config=PRESET] [--config.field=value]`.

Prints seconds per step (median), frames per second, the multiplications and additions of a step, and the rate they
imply beside that of a float32 matrix product measured in the same run.
"""

import dataclasses
import math
import statistics
import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from absl import flags
from jax.interpreters import partial_eval

from benchmarks.table import Row, version
from experiments import command_line, presets
from hgn_jax import training
from hgn_jax.geco import geco
from hgn_jax.hgn import make_hgn
from hgn_jax.training_config import TrainingConfig

_MATMUL_SIZE = 2048


def median_seconds(run: Callable[[], object], repeats: int) -> float:
    """Median wall time of a call, after one that is not counted."""
    jax.block_until_ready(run())
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        jax.block_until_ready(run())
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def count_flops(function: Callable, *args) -> int:
    """Multiplications and additions of the convolutions and matrix products that the result depends on.

    Bodies of scans count as often as they run, which XLA's own cost analysis does not do.
    """
    closed = jax.make_jaxpr(function)(*args)
    jaxpr, _ = partial_eval.dce_jaxpr(closed.jaxpr, [True] * len(closed.jaxpr.outvars))
    return _count(jaxpr)


def _count(jaxpr) -> int:
    total = 0
    for equation in jaxpr.eqns:
        name, parameters = equation.primitive.name, equation.params
        if name == "conv_general_dilated":
            total += _convolution_flops(equation)
        elif name == "dot_general":
            (contracted, _), _ = parameters["dimension_numbers"]
            depth = math.prod(equation.invars[0].aval.shape[i] for i in contracted)
            total += 2 * depth * equation.outvars[0].aval.size
        else:
            inner = sum(_count(getattr(p, "jaxpr", p)) for p in parameters.values() if _is_jaxpr(p))
            total += inner * parameters.get("length", 1)
    return total


def _convolution_flops(equation) -> int:
    kernel, out = equation.invars[1].aval, equation.outvars[0].aval
    numbers = equation.params["dimension_numbers"]
    _, input_features, *window = (kernel.shape[i] for i in numbers.rhs_spec)
    batch, features, *space = (out.shape[i] for i in numbers.out_spec)
    image = equation.invars[0].aval.shape
    positions = 1
    for axis, (size, taps) in enumerate(zip(space, window, strict=True)):
        positions *= _taps_inside(
            size, taps, image[numbers.lhs_spec[2 + axis]], equation.params["window_strides"][axis],
            equation.params["padding"][axis][0], equation.params["lhs_dilation"][axis],
            equation.params["rhs_dilation"][axis],
        )  # fmt: skip
    return 2 * batch * features * input_features * positions


def _taps_inside(
    size: int, taps: int, image: int, stride: int, pad: int, image_dilation: int, tap_dilation: int
) -> int:
    """Pairs of output position and kernel tap, along one axis, that meet an entry of the image rather than padding."""
    position = np.arange(size)[:, None] * stride - pad + np.arange(taps) * tap_dilation
    inside = (position >= 0) & (position <= (image - 1) * image_dilation) & (position % image_dilation == 0)
    return int(inside.sum())


def _is_jaxpr(parameter) -> bool:
    return hasattr(getattr(parameter, "jaxpr", parameter), "eqns")


class Measured(NamedTuple):
    """Of a training step.

    Attributes:
      seconds: of a step, median.
      compile_seconds: once.
      flops: multiplications and additions of a step that its result depends on.
      frames: decoded, or would be if all were.
      peak: multiplications and additions per second of a float32 matrix product in the same run.
    """

    seconds: float
    compile_seconds: float
    flops: int
    frames: int
    peak: float

    @property
    def rate(self) -> float:
        """Multiplications and additions per second."""
        return self.flops / self.seconds


class Prepared(NamedTuple):
    """A training step, compiled.

    Attributes:
      step: does one and returns its scalars.
      compile_seconds: it took.
      flops: multiplications and additions that its result depends on.
      frames: of all clips of its batch.
    """

    step: Callable[[], object]
    compile_seconds: float
    flops: int
    frames: int


def prepare(config: presets.Config, batch_size: int, devices: Sequence[jax.Device]) -> Prepared:
    """Makes a step of `config` on random frames, on some devices of this process."""
    size, num_frames = config.image_size, presets.dataset_config(config).num_steps + 1
    frames = np.random.default_rng(0).integers(0, 256, (batch_size, num_frames, size, size, 3), dtype=np.uint8)
    batch = {"image": frames}
    hgn, multiplier = make_hgn(config), geco(config.geco)
    optimizer = training.make_optimizer(config.optimizer, config.training.num_steps)
    state = training.init_state(hgn.init, optimizer, multiplier, config.training.seed, batch)
    flops = count_flops(jax.grad(lambda p: hgn.loss(p, 1.0, state.key, batch)[0]), state.params)
    sharded = training.shard(batch, len(devices))
    start = time.perf_counter()
    update = training.compile_update(training.make_update(hgn.loss, optimizer, multiplier, devices), state, sharded)
    compile_seconds = time.perf_counter() - start
    holder = [jax.device_get(state)]  # the step consumes the state it is given

    def step():
        holder[0], scalars = update(holder[0], sharded)
        return scalars

    return Prepared(step, compile_seconds, flops, batch_size * num_frames)


def measure(config: presets.Config, repeats: int, matmul_size: int = _MATMUL_SIZE) -> Measured:
    """Times steps of `config` on random frames, and matrix products of `matmul_size` beside them."""
    prepared = prepare(config, config.training.batch_size, jax.local_devices())
    seconds = median_seconds(prepared.step, repeats)
    matrix = jnp.ones((matmul_size, matmul_size), jnp.float32)
    product = jax.jit(lambda a: a @ a)
    peak = 2 * matmul_size**3 / median_seconds(lambda: product(matrix), 9)
    return Measured(seconds, prepared.compile_seconds, prepared.flops, prepared.frames, peak)


def rows(quick: bool) -> list[Row]:
    """The rows of `python -m benchmarks`."""
    config = presets.get("mass_spring_small" if quick else "mass_spring")
    if quick:
        config = smallest(config)
    found = measure(config, repeats=2, matmul_size=64) if quick else measure(config, repeats=5)
    size, frames = config.image_size, found.frames // config.training.batch_size
    return [
        Row(
            found.rate / found.peak,
            f"training step of {config.preset}: {config.training.batch_size} clips of {frames} frames, {size}x{size}",
            f"{found.seconds:.3g} s, {found.rate / 1e9:.3g} GFLOP/s, {found.frames / found.seconds:.0f} frames/s",
            f"{version('jaxlib')} float32 matrix product: {found.peak / 1e9:.3g} GFLOP/s",
        )
    ]


def smallest(config: presets.Config) -> presets.Config:
    """The same with networks and clips so small that a step takes no time."""
    changes = {
        "image_size": 8, "state_channels": 2, "encoder_filters": (2,), "transform_filters": (2,),
        "hamiltonian_filters": (2,), "decoder_filters": (2,), "loss_frames": 2, "initial_horizon": 3, "unroll": 1,
    }  # fmt: skip
    data = dataclasses.replace(config.data, num_steps=3)
    return dataclasses.replace(config, data=data, training=TrainingConfig(num_steps=10, batch_size=4), **changes)


def main(argv: Sequence[str]) -> None:
    del argv
    config, repeats = _CONFIG.value, _REPEATS.value
    found = measure(config, repeats)
    rate, peak = found.rate, found.peak
    print(f"{config.preset}, {jax.local_device_count()} x {jax.devices()[0].device_kind}, jax {jax.__version__}")
    print(f"{rate / peak:.2f} of the float32 matrix product's {peak / 1e9:.0f} GFLOP/s: {rate / 1e9:.0f} GFLOP/s")
    print(f"{found.seconds:.3f} s/step (median of {repeats}), {found.frames / found.seconds:.0f} frames/s")
    print(f"{found.flops / 1e9:.1f} GFLOP/step, compiled in {found.compile_seconds:.1f} s")


if __name__ == "__main__":
    _CONFIG = command_line.define_config(presets.get, presets.PRESETS, "mass_spring")
    _REPEATS = flags.DEFINE_integer("repeats", 5, "Steps timed.", lower_bound=1)
    command_line.run(main)
