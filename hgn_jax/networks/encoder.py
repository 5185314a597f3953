"""The convolutional encoder of HGN and the transform from latents to initial states (App. A.1 of the paper)."""

from collections.abc import Sequence

import haiku as hk
import jax
import jax.numpy as jnp

from hgn_jax.networks.blocks import RELU_GAIN, ConvLayer, conv_stack, convolution, linear, pure
from hgn_jax.networks.latent_grid import num_doublings

# The posterior starts narrow. With the variance of the prior, sampling noise would drown the mean, and training would
# first have to find it.
_INITIAL_LOG_VARIANCE = -4.0
_LOG_VARIANCE_GAIN = 0.1


def conv_encoder(
    image_size: int, filters: Sequence[int], activation: str, latent_channels: int, vector: bool = False
) -> hk.Transformed:
    """The posterior q(z | x): maps stacked frames `[batch, size, size, frames * 3]` to a mean and a log-variance.

    Clips are standardised first, because small discs on a uniform background hardly differ from one clip to the next.
    The first layers halve the image until it is `LATENT_SIZE` pixels wide. The mean and the log-variance are then read
    from the last features, by 1x1 convolutions for a latent grid and by linear projections for a latent vector.

    Args:
      image_size: Width of the square frames in pixels.
      filters: Number of channels of each convolution.
      activation: Name in `ACTIVATIONS` of the activation after each convolution.
      latent_channels: Number of channels of the latent, for the mean and for the log-variance.
      vector: Whether the latent is a vector `[batch, latent_channels]` instead of a grid
        `[batch, 4, 4, latent_channels]`.

    Raises:
      ValueError: If the image size is not 4 times a power of two.
    """
    num_halvings = num_doublings(image_size)
    layers = [ConvLayer(n, stride=2 if i < num_halvings else 1) for i, n in enumerate(filters)]

    def apply(frames: jax.Array) -> tuple[jax.Array, jax.Array]:
        features = conv_stack(_standardise(frames), layers, activation, RELU_GAIN)

        def head(gain: float, name: str, bias: float = 0.0) -> jax.Array:
            if vector:
                flat = features.reshape(len(features), -1)
                return linear(latent_channels, gain, name, hk.initializers.Constant(bias))(flat)
            return convolution(ConvLayer(latent_channels, kernel=1), gain, name, bias)(features)

        return head(1.0, "mean"), head(_LOG_VARIANCE_GAIN, "log_variance", _INITIAL_LOG_VARIANCE)

    return pure(apply)


def _standardise(frames: jax.Array) -> jax.Array:
    """Removes the spatial mean of each channel and scales each clip to unit variance."""
    centred = frames - jnp.mean(frames, axis=(1, 2), keepdims=True)
    variance = jnp.mean(centred**2, axis=(1, 2, 3), keepdims=True)
    return centred * jax.lax.rsqrt(variance + 1e-6)  # a blank clip stays blank


def state_transform(filters: Sequence[int], activation: str, state_channels: int) -> hk.Transformed:
    """The transform f_psi: maps latents `[batch, 4, 4, c]` to initial states `[batch, 4, 4, state_channels]`.

    Args:
      filters: Number of channels of each 3x3 convolution; a linear 1x1 convolution follows them.
      activation: Name in `ACTIVATIONS` of the activation after each 3x3 convolution.
      state_channels: Number of channels of the state, positions and momenta together.
    """

    def apply(z: jax.Array) -> jax.Array:
        features = conv_stack(z, [ConvLayer(n) for n in filters], activation, RELU_GAIN)
        return convolution(ConvLayer(state_channels, kernel=1), 1.0, "state")(features)

    return pure(apply)
