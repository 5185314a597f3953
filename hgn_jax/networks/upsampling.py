"""Nearest-neighbour upsampling by two, alone and together with the convolution that follows it."""

import jax
import jax.numpy as jnp
import numpy as np

# What each of the 3 taps of a kernel adds to those that its two halves of an upsampled pixel see of the image before:
# [half, tap of 2, tap of 3]. The upper half of a pixel sees it through taps 1 and 2, and the one above through tap 0.
_TAPS = np.array([[[1, 0, 0], [0, 1, 1]], [[1, 1, 0], [0, 0, 1]]], np.float32)


def double(x: jax.Array) -> jax.Array:
    """Nearest-neighbour upsampling by two, `[batch, height, width, channels]`."""
    return jnp.repeat(jnp.repeat(x, 2, axis=1), 2, axis=2)


def convolve_doubled(x: jax.Array, kernel: jax.Array) -> jax.Array:
    """A 3x3 convolution of `double(x)` that pads it with zeros, by four 2x2 convolutions of `x` itself.

    Each of the four pixels that one becomes sees but 2x2 pixels of `x`, some through several taps, whose weights are
    summed beforehand: four ninths of the multiplications.

    Args:
      x: `[batch, height, width, channels]`.
      kernel: `[3, 3, channels, filters]`.

    Returns:
      `[batch, 2 * height, 2 * width, filters]`.
    """
    taps = _TAPS.astype(kernel.dtype)
    kernels = jnp.einsum("ark,bsl,klio->abrsio", taps, taps, kernel)

    def convolve(a: int, b: int) -> jax.Array:
        padding = ((1 - a, a), (1 - b, b))
        return jax.lax.conv_general_dilated(
            x, kernels[a, b], (1, 1), padding, dimension_numbers=("NHWC", "HWIO", "NHWC")
        )

    rows = [jnp.stack([convolve(a, b) for b in (0, 1)], axis=3) for a in (0, 1)]  # [batch, height, width, 2, filters]
    batch, height, width, _ = x.shape
    return jnp.stack(rows, axis=2).reshape(batch, 2 * height, 2 * width, kernel.shape[-1])
