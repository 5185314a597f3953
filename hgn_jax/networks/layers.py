"""Haiku's layers, with biases that can be learned in low precision too.

The gradient of a bias is a sum over all positions and examples. In bfloat16 such a sum of ones would not pass 256.
"""

from collections.abc import Callable

import haiku as hk
import jax
import jax.numpy as jnp


def add_bias(x: jax.Array, b_init: hk.initializers.Initializer | None) -> jax.Array:
    """`x` plus the parameter `b` of the module around, `[channels]`, whose gradient is summed in float32 or better."""
    b = hk.get_parameter("b", x.shape[-1:], x.dtype, b_init or jnp.zeros)
    return x + jnp.broadcast_to(b.astype(jnp.promote_types(x.dtype, jnp.float32)), x.shape).astype(x.dtype)


class _Biased(hk.Module):
    """A layer of Haiku's and `add_bias`; parameters, names and initial values are as in Haiku."""

    def __init__(self, *args, b_init: hk.initializers.Initializer | None = None, **kwargs):
        super().__init__(*args, with_bias=False, **kwargs)
        self._b_init = b_init

    def __call__(self, x: jax.Array) -> jax.Array:
        return add_bias(super().__call__(x), self._b_init)


class Conv2D(_Biased, hk.Conv2D):
    """A convolution of `[batch, height, width, channels]`."""


class Linear(_Biased, hk.Linear):
    """A linear layer of `[..., channels]`."""


class Conv3x3(hk.Module):
    """`hk.Conv2D` with 3x3 kernels by a function of its own: the same parameters, names and initial values.

    Args:
      convolve: `(x, kernel) -> y` of `[batch, height, width, channels]` and `[3, 3, channels, filters]`.
      filters: of the result.
      w_init: of the kernel.
      b_init: of the bias.
      name: of the module.
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
