"""Multilayer perceptrons."""

from collections.abc import Sequence

import haiku as hk
import jax

from hgn_jax.networks.blocks import ACTIVATIONS, RELU_GAIN, linear, pure


def mlp(
    sizes: Sequence[int], activation: str, gain: float = RELU_GAIN, output_gain: float = 1.0, bias_scale: float = 0.0
) -> hk.Transformed:
    """A multilayer perceptron with a linear last layer: maps `[..., n]` to `[..., sizes[-1]]`.

    Args:
      sizes: Number of units of each layer, the last one included.
      activation: Name in `ACTIVATIONS` of the activation of the hidden layers.
      gain: Scale of the initial weights of the hidden layers: their variance is gain² / fan-in.
      output_gain: The same scale for the last layer.
      bias_scale: Standard deviation of the normal initial biases of the hidden layers.
    """

    def apply(x: jax.Array) -> jax.Array:
        for i, size in enumerate(sizes[:-1]):
            hidden = linear(size, gain, f"linear_{i}", hk.initializers.RandomNormal(bias_scale))
            x = ACTIVATIONS[activation](hidden(x))
        return linear(sizes[-1], output_gain, "output", hk.initializers.RandomNormal(0.0))(x)

    return pure(apply)
