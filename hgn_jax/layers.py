"""Haiku's layers, with biases that can be learned in low precision too.

The gradient of a bias is a sum over all positions and examples. In bfloat16 such a sum of ones would not pass 256.
"""

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
