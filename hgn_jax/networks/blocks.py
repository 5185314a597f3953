"""Building blocks that the networks share: activations, initial weights, linear layers and stacks of convolutions."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import haiku as hk
import jax
import jax.numpy as jnp

from hgn_jax.networks.layers import Conv2D, Linear

RELU_GAIN = 2**0.5  # keeps the scale of features through a layer with ReLU; a linear layer needs 1

ACTIVATIONS: dict[str, Callable[[jax.Array], jax.Array]] = {
    "none": lambda x: x,
    "relu": jax.nn.relu,
    "leaky_relu": jax.nn.leaky_relu,
    "sigmoid": jax.nn.sigmoid,
    "softplus": jax.nn.softplus,
    "swish": jax.nn.swish,
    "tanh": jnp.tanh,
}


class ConvLayer(NamedTuple):
    """The shape of one convolution.

    Attributes:
      filters: Number of output channels.
      kernel: Width of the kernel.
      stride: Stride in both directions.
      padding: "SAME" or "VALID".
    """

    filters: int
    kernel: int = 3
    stride: int = 1
    padding: str = "SAME"


def pure(function: Callable[..., jax.Array]) -> hk.Transformed:
    """Transforms a function that uses Haiku modules into pure `init(key, *inputs)` and `apply(params, *inputs)`."""
    return hk.without_apply_rng(hk.transform(function))


def scaled_weights(gain: float) -> hk.initializers.Initializer:
    """Returns the initialiser of weights with variance gain² / fan-in."""
    return hk.initializers.VarianceScaling(gain**2, "fan_in", "truncated_normal")


def linear(size: int, gain: float, name: str, b_init: hk.initializers.Initializer | None = None) -> Linear:
    """Returns a linear layer with scaled initial weights and, by default, zero biases."""
    return Linear(size, w_init=scaled_weights(gain), b_init=b_init, name=name)


def convolution(layer: ConvLayer, gain: float, name: str, bias: float = 0.0) -> Conv2D:
    """Returns a convolution with scaled initial weights and constant initial biases."""
    return Conv2D(
        layer.filters,
        layer.kernel,
        layer.stride,
        padding=layer.padding,
        w_init=scaled_weights(gain),
        b_init=hk.initializers.Constant(bias),
        name=name,
    )


def conv_stack(x: jax.Array, layers: Sequence[ConvLayer], activation: str, gain: float) -> jax.Array:
    """Applies convolutions named `convolution_0`, `convolution_1`, ..., each followed by the activation."""
    for i, layer in enumerate(layers):
        x = ACTIVATIONS[activation](convolution(layer, gain, f"convolution_{i}")(x))
    return x
