"""The terms of HGN's loss (Eq. 4 of the paper), and the statistics of frames that some of them are measured in."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from hgn_jax.models.frames import TargetFrames
from hgn_jax.models.objectives import example_keys
from hgn_jax.networks.chunked_error import squared_error

Params = dict[str, Any]


class Posterior(NamedTuple):
    """The diagonal Gaussian q(z | x).

    Attributes:
      mean: `[batch, 4, 4, 2 * channels]`, or `[batch, 2 * channels]` for a vector latent.
      scale: Standard deviation, shaped like `mean`.
    """

    mean: jax.Array
    scale: jax.Array


def frame_statistics(frames: jax.Array, background: str) -> dict[str, jax.Array]:
    """The mean image, the standard deviation of pixels around it, and the background that the decoder starts from.

    Args:
      frames: Training clips, `[n, time, size, size, 3]` in [0, 1].
      background: `image` for the mean image, `colour` for its mean colour.
    """
    mean_image = jnp.mean(frames, axis=(0, 1))
    return {
        "mean_image": mean_image,
        "pixel_std": jnp.sqrt(jnp.mean((frames - mean_image) ** 2) + 1e-8),
        "background": jnp.array(mean_image) if background == "image" else jnp.mean(mean_image, axis=(0, 1)),
    }


def negative_elbo(mse: jax.Array, kl: jax.Array, frame_size: int, beta: float = 1.0) -> jax.Array:
    """Minus Eq. 4, up to a constant: beta * KL + D / 2 * MSE, for a Gaussian likelihood of unit variance.

    Args:
      mse: Mean squared error per value of a frame.
      kl: KL divergence of the posterior from the prior in nats.
      frame_size: D, number of values in a frame.
      beta: Weight of the KL; 1 in Eq. 4.
    """
    return beta * kl + 0.5 * frame_size * mse


def kl_to_standard_normal(posterior: Posterior) -> jax.Array:
    """KL(q(z) || N(0, I)) in nats per example, `[batch]`."""
    mean, scale = posterior
    terms = 0.5 * (mean**2 + scale**2 - 1.0) - jnp.log(scale)
    return jnp.sum(terms, axis=tuple(range(1, mean.ndim)))


def draw_latent(posterior: Posterior, key: jax.Array, slots: jax.Array) -> jax.Array:
    """Draws z ~ q(z | x) by the reparametrisation trick, with the noise of each example given by its slot."""
    draw = lambda example_key: jax.random.normal(example_key, posterior.mean.shape[1:])
    return posterior.mean + posterior.scale * jax.vmap(draw)(example_keys(key, slots))


def reconstruction_error(
    decode: Callable[[Params, jax.Array], jax.Array],
    params: Params,
    q: jax.Array,
    frames: jax.Array,
    chosen: TargetFrames,
) -> jax.Array:
    """Mean squared error over examples, pixels and colours, and weighted mean over the chosen frames.

    Args:
      decode: Decoder, `(params, q) -> images`.
      params: Parameters of the model.
      q: Positions along the rollout, `[time, batch, ...]`.
      frames: Frames that they should be decoded to, `[batch, time, size, size, 3]`.
      chosen: Frames in the loss and their weights.
    """
    if chosen.times is not None:
        q, frames = q[chosen.times], frames[:, chosen.times]
    images = jnp.swapaxes(frames, 0, 1)
    weights = chosen.weights.reshape(len(images), -1) / images[0].size
    weights = jnp.broadcast_to(weights, images.shape[:2]).ravel()
    flat_q, flat_images = (x.reshape(-1, *x.shape[2:]) for x in (q, images))
    return squared_error(decode, params, flat_q, flat_images, weights)
