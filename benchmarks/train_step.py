"""Times a training step: `python -m benchmarks.train_step [--config=PRESET] [--config.field=value]`.

Prints seconds per step (median), frames per second, the multiplications and additions of a step, and the rate they
imply beside that of a matrix product in the model's precision, measured in the same run.
"""

import dataclasses
import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import haiku as hk
import jax
import jax.numpy as jnp
import numpy as np
from absl import flags
from jax.interpreters import partial_eval

from benchmarks.table import Row, version
from experiments.comparison.step_timing import median_seconds, prepare, random_batch
from experiments.hgn import presets
from experiments.run import command_line
from hgn_jax.models.hgn import make_hgn
from hgn_jax.networks.precision import in_precision
from hgn_jax.training.training_config import TrainingConfig

# Of the matrix product, large enough for the device to reach its rate.
_MATMUL_SIZES = {"cpu": 2048}
_ACCELERATOR_MATMUL_SIZE = 8192


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
      peak: multiplications and additions per second of a matrix product in the same precision and the same run.
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


def step_flops(config: presets.Config) -> int:
    """Multiplications and additions that the gradient of the loss depends on."""
    hgn, key = make_hgn(config), jax.random.PRNGKey(0)
    batch = random_batch(config, config.training.batch_size)
    params = jax.eval_shape(hgn.init, key, batch)
    return count_flops(jax.grad(lambda params: hgn.loss(params, 1.0, key, batch)[0]), params)


def measure(config: presets.Config, repeats: int, matmul_size: int | None = None) -> Measured:
    """Times steps of `config` on random frames, and matrix products beside them."""
    batch = random_batch(config, config.training.batch_size)
    prepared = prepare(make_hgn(config), config, batch, jax.local_devices())
    seconds = median_seconds(prepared.step, repeats)
    peak = matmul_rate(config.precision, matmul_size)
    num_frames = batch["image"].shape[0] * batch["image"].shape[1]
    return Measured(seconds, prepared.compile_seconds, step_flops(config), num_frames, peak)


def matmul_rate(precision: str, size: int | None = None) -> float:
    """Multiplications and additions per second of a matrix product, as a network of this precision computes it."""
    size = size or _MATMUL_SIZES.get(jax.default_backend(), _ACCELERATOR_MATMUL_SIZE)
    network = in_precision(hk.Transformed(lambda key, a: {}, lambda params, a: a @ a), precision)
    product, matrix = jax.jit(lambda a: network.apply({}, a)), jnp.ones((size, size), jnp.float32)
    return 2 * size**3 / median_seconds(lambda: product(matrix), 9)


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
    product = f"a matrix product's {peak / 1e9:.0f} GFLOP/s in {config.precision} precision"
    print(f"{rate / peak:.2f} of {product}: {rate / 1e9:.0f} GFLOP/s")
    print(f"{found.seconds:.3f} s/step (median of {repeats}), {found.frames / found.seconds:.0f} frames/s")
    print(f"{found.flops / 1e9:.1f} GFLOP/step, compiled in {found.compile_seconds:.1f} s")


if __name__ == "__main__":
    _CONFIG = command_line.define_config(presets.get, presets.PRESETS, "mass_spring")
    _REPEATS = flags.DEFINE_integer("repeats", 5, "Steps timed.", lower_bound=1)
    command_line.run(main)
