"""A 3x3 convolution tuned for XLA on CPU."""

import functools
import math

import jax
import jax.numpy as jnp

_WIDTH = 3
_DIMENSIONS = ("NHWC", "HWIO", "NHWC")
# Positions per part of a weight gradient. A part of this size fits the caches; larger and smaller parts are slower.
_POSITIONS_PER_PART = 15 * 32 * 32


def convolve(x: jax.Array, kernel: jax.Array) -> jax.Array:
    """Convolves images with a 3x3 kernel and zero padding.

    On a CPU, XLA gathers the 3x3 pixels around every position before it multiplies. With few filters the gathering
    dominates; the tuned path then multiplies first and shifts the products, and for the gradient of the kernel gathers
    the cotangent instead of the images. With many filters it sums the gradient of the kernel over one part of the
    images after the other. Small inputs and other devices use the plain convolution. The tuned path can be
    differentiated any number of times, but in reverse mode only.

    Args:
      x: Images, `[batch, height, width, channels]`.
      kernel: Kernel, `[3, 3, channels, filters]`.

    Returns:
      `[batch, height, width, filters]`.
    """
    if jax.default_backend() != "cpu" or _num_positions(x) < _POSITIONS_PER_PART:
        return _plain(x, kernel, None)
    return _tuned(jax.config.jax_default_matmul_precision, x, kernel)


def _num_positions(x: jax.Array) -> int:
    return math.prod(x.shape[:-1])


def _has_few_filters(kernel: jax.Array) -> bool:
    *_, channels, filters = kernel.shape
    return _WIDTH * filters < channels


def _plain(x, kernel, precision):
    return jax.lax.conv_general_dilated(x, kernel, (1, 1), "SAME", dimension_numbers=_DIMENSIONS, precision=precision)


@functools.partial(jax.custom_vjp, nondiff_argnums=(0,))
def _tuned(precision, x, kernel):
    if _has_few_filters(kernel):
        return _multiply_then_shift(x, kernel, precision)
    return _plain(x, kernel, precision)


def _multiply_then_shift(x, kernel, precision):
    """The convolution as a sum over the nine taps of the kernel of shifted products."""
    _, height, width, _ = x.shape
    products = jnp.einsum("nhwc,abco->nhwabo", x, kernel, precision=precision)
    products = jnp.pad(products, ((0, 0), (1, 1), (1, 1), (0, 0), (0, 0), (0, 0)))
    taps = [(a, b) for a in range(_WIDTH) for b in range(_WIDTH)]
    return sum(products[:, a : a + height, b : b + width, a, b] for a, b in taps)


def _forward(precision, x, kernel):
    return _tuned(precision, x, kernel), (x, kernel)


def _backward(precision, residuals, cotangent):
    x, kernel = residuals
    (x_gradient,) = jax.linear_transpose(lambda x: _plain(x, kernel, precision), x)(cotangent)
    return x_gradient, _kernel_gradient(x, kernel, cotangent, precision)


def _kernel_gradient(x, kernel, cotangent, precision):
    if _has_few_filters(kernel):  # images and cotangent change places: the gradient of the reversed convolution
        reversed_gradient = _sum_over_parts(cotangent, kernel.swapaxes(2, 3), x, precision)
        return jnp.flip(reversed_gradient, (0, 1)).swapaxes(2, 3)
    return _sum_over_parts(x, kernel, cotangent, precision)


def _sum_over_parts(x, kernel, cotangent, precision):
    num_parts = min(len(x), _num_positions(x) // _POSITIONS_PER_PART)
    total = jnp.zeros_like(kernel)
    parts = zip(jnp.array_split(x, num_parts), jnp.array_split(cotangent, num_parts), strict=True)
    for x_part, cotangent_part in parts:
        # A zero that depends on the parts before makes XLA finish them first; otherwise it would interleave them.
        dependency = 0.0 * total[0, 0, 0, 0]
        transpose = jax.linear_transpose(lambda kernel, x=x_part: _plain(x, kernel, precision), kernel)
        total += transpose(cotangent_part + dependency)[0]
    return total


_tuned.defvjp(_forward, _backward)
