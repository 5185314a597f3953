"""Times a training step: `python -m benchmarks.train_step [--config=PRESET] [--config.field=value]`.

Prints the median time per step, frames per second, the number of floating-point operations per step, and their rate
beside that of a matrix product in the model's precision, measured in the same run. A floating-point operation (FLOP) is
a multiplication or an addition.
"""

import dataclasses
import math
from collections.abc import Callable
from typing import NamedTuple

import haiku as hk
import jax
import jax.numpy as jnp
import numpy as np
from jax.interpreters import partial_eval

from benchmarks import program
from benchmarks.table import Row, version
from experiments.comparison.step_timing import median_seconds, prepare, random_batch
from experiments.hgn import presets
from hgn_jax.models.hgn import make_hgn
from hgn_jax.networks.precision import in_precision
from hgn_jax.training.training_config import TrainingConfig

# Sizes of the matrices to multiply, large enough for a device to reach its full rate.
_MATMUL_SIZES = {"cpu": 2048}
_ACCELERATOR_MATMUL_SIZE = 8192


def count_flops(function: Callable, *args) -> int:
    """Counts the FLOP of the convolutions and matrix products that the result of `function(*args)` depends on.

    Unlike XLA's cost analysis it counts the body of a scan once per iteration.
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
    """Counts the pairs of output position and kernel tap along one axis that read the image rather than padding."""
    position = np.arange(size)[:, None] * stride - pad + np.arange(taps) * tap_dilation
    inside = (position >= 0) & (position <= (image - 1) * image_dilation) & (position % image_dilation == 0)
    return int(inside.sum())


def _is_jaxpr(parameter) -> bool:
    return hasattr(getattr(parameter, "jaxpr", parameter), "eqns")


class Measured(NamedTuple):
    """Measurements of a training step.

    Attributes:
      seconds: Median wall time per step.
      compile_seconds: Wall time of its compilation.
      flops: FLOP per step that its result depends on.
      frames: Number of frames in a batch, decoded or not.
      peak: FLOP per second of a matrix product in the same precision and the same run.
    """

    seconds: float
    compile_seconds: float
    flops: int
    frames: int
    peak: float

    @property
    def rate(self) -> float:
        """FLOP per second."""
        return self.flops / self.seconds


def step_flops(config: presets.Config) -> int:
    """Counts the FLOP that the gradient of the loss of a batch depends on."""
    hgn, key = make_hgn(config), jax.random.PRNGKey(0)
    batch = random_batch(config, config.training.batch_size)
    params = jax.eval_shape(hgn.init, key, batch)
    return count_flops(jax.grad(lambda params: hgn.loss(params, 1.0, key, batch)[0]), params)


def measure(config: presets.Config, repeats: int, matmul_size: int | None = None) -> Measured:
    """Times `repeats` training steps on random frames, and matrix products beside them."""
    batch = random_batch(config, config.training.batch_size)
    prepared = prepare(make_hgn(config), config, batch, jax.local_devices())
    seconds = median_seconds(prepared.step, repeats)
    peak = matmul_rate(config.precision, matmul_size)
    num_frames = batch["image"].shape[0] * batch["image"].shape[1]
    return Measured(seconds, prepared.compile_seconds, step_flops(config), num_frames, peak)


def matmul_rate(precision: str, size: int | None = None) -> float:
    """Returns the FLOP per second of a matrix product, as a network of this precision computes it."""
    size = size or _MATMUL_SIZES.get(jax.default_backend(), _ACCELERATOR_MATMUL_SIZE)
    network = in_precision(hk.Transformed(lambda key, a: {}, lambda params, a: a @ a), precision)
    product, matrix = jax.jit(lambda a: network.apply({}, a)), jnp.ones((size, size), jnp.float32)
    return 2 * size**3 / median_seconds(lambda: product(matrix), 9)


def rows(quick: bool) -> list[Row]:
    """Returns the rows of `python -m benchmarks`."""
    config = presets.PRESETS["mass_spring_small" if quick else "mass_spring"]
    if quick:
        config = smallest(config)
    step = measure(config, repeats=2, matmul_size=64) if quick else measure(config, repeats=5)
    size, frames = config.image_size, step.frames // config.training.batch_size
    return [
        Row(
            step.rate / step.peak,
            f"training step of {config.preset}: {config.training.batch_size} clips of {frames} frames, {size}x{size}",
            f"{step.seconds:.3g} s, {step.rate / 1e9:.3g} GFLOP/s, {step.frames / step.seconds:.0f} frames/s",
            f"{version('jaxlib')} float32 matrix product: {step.peak / 1e9:.3g} GFLOP/s",
        )
    ]


def smallest(config: presets.Config) -> presets.Config:
    """Returns the configuration with networks and clips so small that a step takes almost no time."""
    changes = {
        "image_size": 8, "state_channels": 2, "encoder_filters": (2,), "transform_filters": (2,),
        "hamiltonian_filters": (2,), "decoder_filters": (2,), "loss_frames": 2, "initial_horizon": 3, "unroll": 1,
    }  # fmt: skip
    data = dataclasses.replace(config.data, num_steps=3)
    return dataclasses.replace(config, data=data, training=TrainingConfig(num_steps=10, batch_size=4), **changes)


def _describe(config: presets.Config, repeats: int) -> str:
    step = measure(config, repeats)
    rate, peak = step.rate, step.peak
    product = f"a matrix product's {peak / 1e9:.0f} GFLOP/s in {config.precision} precision"
    return f"""\
{config.preset}, {jax.local_device_count()} x {jax.devices()[0].device_kind}, jax {jax.__version__}
{rate / peak:.2f} of {product}: {rate / 1e9:.0f} GFLOP/s
{step.seconds:.3f} s/step (median of {repeats}), {step.frames / step.seconds:.0f} frames/s
{step.flops / 1e9:.1f} GFLOP/step, compiled in {step.compile_seconds:.1f} s"""


if __name__ == "__main__":
    program.run(_describe, "mass_spring", 5, help="Number of steps that are timed.")
