"""A 3x3 convolution, computed as it is soonest on a CPU."""

import functools
import math

import jax
import jax.numpy as jnp

_WIDTH = 3
_DIMENSIONS = ("NHWC", "HWIO", "NHWC")
# Positions that a weight gradient is summed over at a time, which caches hold. More or fewer take longer.
_POSITIONS = 15 * 32 * 32


def convolve(x: jax.Array, kernel: jax.Array) -> jax.Array:
    """A 3x3 convolution that pads with zeros.

    On a CPU a convolution first gathers the 3x3 pixels around every position, which is most of its work where there are
    few filters. So products come first then, and what is gathered for the weight gradient is the cotangent. Weight
    gradients of many filters are summed over one part of the images after the other. All this where there is much to
    do; it can be differentiated in reverse mode only then, as often as one likes.

    Args:
      x: `[batch, height, width, channels]`.
      kernel: `[3, 3, channels, filters]`.

    Returns:
      `[batch, height, width, filters]`.
    """
    if jax.default_backend() != "cpu" or _num_positions(x) < _POSITIONS:
        return _plain(x, kernel, None)
    return _convolve(jax.config.jax_default_matmul_precision, x, kernel)


def _num_positions(x: jax.Array) -> int:
    return math.prod(x.shape[:-1])


def _plain(x, kernel, precision):
    return jax.lax.conv_general_dilated(x, kernel, (1, 1), "SAME", dimension_numbers=_DIMENSIONS, precision=precision)


@functools.partial(jax.custom_vjp, nondiff_argnums=(0,))
def _convolve(precision, x, kernel):
    if _few_filters(kernel):
        return _product_first(x, kernel, precision)
    return _plain(x, kernel, precision)


def _few_filters(kernel: jax.Array) -> bool:
    *_, channels, filters = kernel.shape
    return _WIDTH * filters < channels


def _product_first(x, kernel, precision):
    """What each pixel adds to the nine around it, and their sum."""
    _, height, width, _ = x.shape
    added = jnp.einsum("nhwc,abco->nhwabo", x, kernel, precision=precision)
    added = jnp.pad(added, ((0, 0), (1, 1), (1, 1), (0, 0), (0, 0), (0, 0)))
    taps = [(a, b) for a in range(_WIDTH) for b in range(_WIDTH)]
    return sum(added[:, a : a + height, b : b + width, a, b] for a, b in taps)


def _forward(precision, x, kernel):
    return _convolve(precision, x, kernel), (x, kernel)


def _backward(precision, saved, cotangent):
    x, kernel = saved
    (of_x,) = jax.linear_transpose(lambda x: _plain(x, kernel, precision), x)(cotangent)
    return of_x, _kernel_gradient(x, kernel, cotangent, precision)


def _kernel_gradient(x, kernel, cotangent, precision):
    if _few_filters(kernel):  # by that of a convolution of the cotangent, read in the other direction
        swapped = _sum_over_parts(cotangent, kernel.swapaxes(2, 3), x, precision)
        return jnp.flip(swapped, (0, 1)).swapaxes(2, 3)
    return _sum_over_parts(x, kernel, cotangent, precision)


def _sum_over_parts(x, kernel, cotangent, precision):
    num_parts = min(len(x), _num_positions(x) // _POSITIONS)
    total = jnp.zeros_like(kernel)
    for part, of_part in zip(jnp.array_split(x, num_parts), jnp.array_split(cotangent, num_parts), strict=True):
        after = 0.0 * total[0, 0, 0, 0]  # nothing, but what has to be waited for: XLA would mix the parts
        transpose = jax.linear_transpose(lambda kernel, part=part: _plain(part, kernel, precision), kernel)
        total += transpose(of_part + after)[0]
    return total


_convolve.defvjp(_forward, _backward)
