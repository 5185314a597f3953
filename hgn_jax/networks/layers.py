"""Haiku layers whose biases can be learned in low precision.

The gradient of a bias is a sum over all positions and examples. In bfloat16 such a sum of ones stops growing at 256, so
it is computed in float32 here.
"""

from collections.abc import Callable

import haiku as hk
import jax
import jax.numpy as jnp


def add_bias(x: jax.Array, b_init: hk.initializers.Initializer | None) -> jax.Array:
    """Adds the parameter `b` of the enclosing module, with a gradient that is summed in float32 or better.

    Args:
      x: Features, `[..., channels]`.
      b_init: Initialiser of the bias `[channels]`; None for zeros.
    """
    b = hk.get_parameter("b", x.shape[-1:], x.dtype, b_init or jnp.zeros)
    return x + jnp.broadcast_to(b.astype(jnp.promote_types(x.dtype, jnp.float32)), x.shape).astype(x.dtype)


class _WithBias(hk.Module):
    """Adds the bias of a Haiku layer by `add_bias`; parameters, names and initial values are those of Haiku."""

    def __init__(self, *args, b_init: hk.initializers.Initializer | None = None, **kwargs):
        super().__init__(*args, with_bias=False, **kwargs)
        self._b_init = b_init

    def __call__(self, x: jax.Array) -> jax.Array:
        return add_bias(super().__call__(x), self._b_init)


class Conv2D(_WithBias, hk.Conv2D):
    """`hk.Conv2D` over `[batch, height, width, channels]`."""


class Linear(_WithBias, hk.Linear):
    """`hk.Linear` over `[..., channels]`."""


class Conv3x3(hk.Module):
    """`hk.Conv2D` with 3x3 kernels, computed by a given function; parameters and initial values are those of Haiku.

    Args:
      convolve: Function of images `[batch, height, width, channels]` and a kernel `[3, 3, channels, filters]` that
        returns the convolved images.
      filters: Number of output channels.
      w_init: Initialiser of the kernel.
      b_init: Initialiser of the bias.
      name: Name of the module.
    """

    def __init__(
        self,
        convolve: Callable[[jax.Array, jax.Array], jax.Array],
        filters: int,
        w_init: hk.initializers.Initializer,
        b_init: hk.initializers.Initializer,
        name: str,
    ):
        super().__init__(name)
        self._convolve, self._filters, self._w_init, self._b_init = convolve, filters, w_init, b_init

    def __call__(self, x: jax.Array) -> jax.Array:
        kernel = hk.get_parameter("w", (3, 3, x.shape[-1], self._filters), x.dtype, self._w_init)
        return add_bias(self._convolve(x, kernel), self._b_init)
