"""Networks of an energy: the Hamiltonian H(q, p), or a kinetic or potential energy (Eq. 10 of the paper)."""

from collections.abc import Sequence

import haiku as hk
import jax
import jax.numpy as jnp

from hgn_jax.networks.blocks import ConvLayer, conv_stack, convolution, pure
from hgn_jax.networks.mlp import mlp

# The Hamiltonian network as the authors of the paper described it in correspondence; the last layer yields the energy.
AUTHORS_HAMILTONIAN = (
    ConvLayer(32),
    ConvLayer(64, kernel=2, stride=2, padding="VALID"),
    ConvLayer(64, kernel=2),
    ConvLayer(64, kernel=2),
    ConvLayer(1, kernel=2, stride=2, padding="VALID"),
)


def conv_energy(layers: Sequence[ConvLayer], activation: str, gain: float, output_gain: float) -> hk.Transformed:
    """A convolutional energy: maps grids `[batch, 4, 4, c]` to energies `[batch]`.

    The activation must be smooth, because training differentiates the gradient of the energy. A softplus halves
    gradients at the origin; a `gain` near 2 keeps them alive through the layers. With a gain of 1 the initial energy is
    so flat that nothing moves.

    Args:
      layers: Convolutions; the last one is linear, and its output is summed over space and channels.
      activation: Name in `ACTIVATIONS` of the activation after each of the other convolutions.
      gain: Scale of the initial weights: their variance is gain² / fan-in.
      output_gain: The same scale for the last layer.
    """
    *hidden_layers, output_layer = layers

    def apply(x: jax.Array) -> jax.Array:
        features = conv_stack(x, hidden_layers, activation, gain)
        return jnp.sum(convolution(output_layer, output_gain, "energy")(features), axis=(1, 2, 3))

    return pure(apply)


def mlp_energy(hidden_sizes: Sequence[int], activation: str, gain: float, output_gain: float) -> hk.Transformed:
    """An energy by a multilayer perceptron over all numbers of a state: maps `[batch, ...]` to energies `[batch]`.

    Args:
      hidden_sizes: Number of units of each hidden layer.
      activation: Name in `ACTIVATIONS` of a smooth activation.
      gain: Scale of the initial weights; see `conv_energy`.
      output_gain: The same scale for the last layer.
    """
    network = mlp((*hidden_sizes, 1), activation, gain, output_gain)

    def flatten(x: jax.Array) -> jax.Array:
        return x.reshape(len(x), -1)

    return hk.Transformed(
        lambda key, x: network.init(key, flatten(x)), lambda params, x: network.apply(params, flatten(x))[:, 0]
    )
