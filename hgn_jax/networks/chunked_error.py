"""The squared error of decoded images, a chunk of them at a time."""

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

Params = Any
Decode = Callable[[Params, jax.Array], jax.Array]

_MOST_CHUNKS = 8  # each is compiled anew
_SMALLEST_CHUNK = 60  # images


def squared_error(decode: Decode, params: Params, q: jax.Array, images: jax.Array, weights: jax.Array) -> jax.Array:
    """sum_i weights_i * sum((decode(params, q_i) - images_i)^2), and its gradient with little memory.

    On a CPU the error of one chunk of images is computed together with its gradient before that of the next, so that
    one chunk's activations are held, which its caches hold too. An accelerator takes all at once, which keeps it busy.
    Once and twice differentiable in reverse mode; on a CPU not in forward mode.

    Args:
      decode: `(params, [n, ...]) -> [n, ...]`, each image by itself.
      params: its parameters.
      q: what it decodes, `[n, ...]`.
      images: what they should be, of the shape that it returns.
      weights: `[n]`.

    Returns:
      A scalar.
    """
    num_chunks = min(_MOST_CHUNKS, len(q) // _SMALLEST_CHUNK) if jax.default_backend() == "cpu" else 1
    if num_chunks <= 1:
        return _error(decode, params, q, images, weights)
    return _chunked(decode, num_chunks, params, q, images, weights)


def _error(decode, params, q, images, weights):
    errors = jnp.square(decode(params, q) - images)
    return jnp.sum(weights * jnp.sum(errors, axis=tuple(range(1, errors.ndim))))


@functools.partial(jax.custom_vjp, nondiff_argnums=(0, 1))
def _chunked(decode, num_chunks, params, q, images, weights):
    return _error(decode, params, q, images, weights)


def _forward(decode, num_chunks, params, q, images, weights):
    differentiate = jax.value_and_grad(functools.partial(_error, decode), argnums=(0, 1, 2, 3))
    chunks = zip(*(jnp.array_split(x, num_chunks) for x in (q, images, weights)), strict=True)
    total, after, per_example = None, 0.0, []
    for q_part, *others in chunks:
        value, (of_params, *gradients) = differentiate(params, q_part + after, *others)
        after = 0.0 * gradients[0].ravel()[0]  # nothing, but what has to be waited for: XLA would mix the chunks
        total = (value, of_params) if total is None else jax.tree.map(jnp.add, total, (value, of_params))
        per_example.append(gradients)
    value, of_params = total
    return value, (of_params, *map(jnp.concatenate, zip(*per_example, strict=True)))


def _backward(decode, num_chunks, gradients, cotangent):
    return jax.tree.map(lambda x: cotangent * x, gradients)


_chunked.defvjp(_forward, _backward)
