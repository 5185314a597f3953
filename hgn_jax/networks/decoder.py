"""The convolutional decoder of HGN (App. A.1 of the paper)."""

from collections.abc import Callable, Sequence

import haiku as hk
import jax

from hgn_jax.networks.blocks import ACTIVATIONS, RELU_GAIN, ConvLayer, convolution, linear, pure, scaled_weights
from hgn_jax.networks.convolution import convolve
from hgn_jax.networks.latent_grid import LATENT_SIZE, num_doublings
from hgn_jax.networks.layers import Conv3x3
from hgn_jax.networks.upsampling import convolve_doubled, double

_IMAGE_GAIN = 0.1  # images start nearly uniform


def conv_decoder(
    image_size: int, filters: Sequence[int], image_channels: int, block_activation: str, output_activation: str
) -> hk.Transformed:
    """The likelihood's mean p(x | q): maps positions `[batch, 4, 4, c]` or `[batch, c]` to images.

    Positions that are vectors are first mapped to the latent grid by a linear layer. Each residual block then doubles
    the resolution: nearest-neighbour upsampling and two convolutions with leaky ReLU, beside a skip connection, and the
    block's activation on their sum.

    Args:
      image_size: Width of the square images in pixels.
      filters: Number of channels of each residual block, one block per doubling of the resolution.
      image_channels: Number of channels of the images.
      block_activation: Name in `ACTIVATIONS` of the activation at the end of each block.
      output_activation: Name in `ACTIVATIONS` of the activation of the images.

    Returns:
      The network; its images are `[batch, image_size, image_size, image_channels]`.

    Raises:
      ValueError: If the image size is not 4 times a power of two, or `filters` has not one entry per doubling.
    """
    if len(filters) != num_doublings(image_size):
        raise ValueError(f"a {image_size}-pixel decoder has {num_doublings(image_size)} blocks, got filters {filters}")

    def apply(q: jax.Array) -> jax.Array:
        x = q if q.ndim == 4 else _spread(q)
        for i, channels in enumerate(filters):
            x = ACTIVATIONS[block_activation](_residual_block(x, channels, f"block_{i}"))
        return ACTIVATIONS[output_activation](_conv3x3(convolve, image_channels, _IMAGE_GAIN, "image")(x))

    return pure(apply)


def _residual_block(x: jax.Array, channels: int, name: str) -> jax.Array:
    """Doubles the resolution, `[batch, height, width, c]` to `[batch, 2 * height, 2 * width, channels]`."""
    skip = x
    if x.shape[-1] != channels:
        skip = convolution(ConvLayer(channels, kernel=1), 1.0, f"{name}_skip")(x)
    out = jax.nn.leaky_relu(_conv3x3(convolve_doubled, channels, RELU_GAIN, f"{name}_convolution_0")(x))
    out = jax.nn.leaky_relu(_conv3x3(convolve, channels, RELU_GAIN, f"{name}_convolution_1")(out))
    return out + double(skip)


def _conv3x3(function: Callable[[jax.Array, jax.Array], jax.Array], channels: int, gain: float, name: str) -> Conv3x3:
    return Conv3x3(function, channels, scaled_weights(gain), hk.initializers.Constant(0.0), name)


def _spread(q: jax.Array) -> jax.Array:
    """Maps vectors `[batch, c]` linearly to the latent grid, `[batch, 4, 4, c]`."""
    return linear(LATENT_SIZE**2 * q.shape[-1], 1.0, "grid")(q).reshape(-1, LATENT_SIZE, LATENT_SIZE, q.shape[-1])
