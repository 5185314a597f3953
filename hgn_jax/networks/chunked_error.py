"""The squared error of decoded images, computed in chunks on a CPU to save memory."""

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

Params = Any
Decode = Callable[[Params, jax.Array], jax.Array]

_MAX_CHUNKS = 8  # each chunk adds to the time of compilation
_MIN_CHUNK_SIZE = 48  # images


def squared_error(decode: Decode, params: Params, q: jax.Array, images: jax.Array, weights: jax.Array) -> jax.Array:
    """Returns sum_i weights_i * sum((decode(params, q_i) - images_i)²).

    On a CPU the error of each chunk of images is computed together with its gradient, one chunk after the other, so
    that the activations of only one chunk are held and fit the caches. Accelerators are kept busy by all images at
    once. The error can be differentiated once and twice in reverse mode; on a CPU not in forward mode.

    Args:
      decode: Function of parameters and positions `[n, ...]` that returns one image per position, `[n, ...]`.
      params: Parameters of `decode`.
      q: Positions, `[n, ...]`.
      images: Target images, shaped like the result of `decode`.
      weights: Weight of each image, `[n]`.

    Returns:
      A scalar.
    """
    num_chunks = min(_MAX_CHUNKS, len(q) // _MIN_CHUNK_SIZE) if jax.default_backend() == "cpu" else 1
    if num_chunks <= 1:
        return _error_at_once(decode, params, q, images, weights)
    return _error_in_chunks(decode, num_chunks, params, q, images, weights)


def _error_at_once(decode, params, q, images, weights):
    errors = jnp.square(decode(params, q) - images)
    return jnp.sum(weights * jnp.sum(errors, axis=tuple(range(1, errors.ndim))))


@functools.partial(jax.custom_vjp, nondiff_argnums=(0, 1))
def _error_in_chunks(decode, num_chunks, params, q, images, weights):
    return _error_at_once(decode, params, q, images, weights)


def _forward(decode, num_chunks, params, q, images, weights):
    """The error, and its gradients as residuals."""
    differentiate = jax.value_and_grad(functools.partial(_error_at_once, decode), argnums=(0, 1, 2, 3))
    chunks = zip(*(jnp.array_split(x, num_chunks) for x in (q, images, weights)), strict=True)
    total, dependency, example_gradients = None, 0.0, []
    for q_chunk, *targets in chunks:
        error, (params_gradient, *gradients) = differentiate(params, q_chunk + dependency, *targets)
        # A zero that depends on this chunk makes XLA finish it before the next; otherwise it would interleave them.
        dependency = 0.0 * gradients[0].ravel()[0]
        chunk = (error, params_gradient)
        total = chunk if total is None else jax.tree.map(jnp.add, total, chunk)
        example_gradients.append(gradients)
    error, params_gradient = total
    return error, (params_gradient, *map(jnp.concatenate, zip(*example_gradients, strict=True)))


def _backward(decode, num_chunks, gradients, cotangent):
    return jax.tree.map(lambda x: cotangent * x, gradients)


_error_in_chunks.defvjp(_forward, _backward)
