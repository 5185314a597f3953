"""f(p|q): the distribution of the latent momentum of a Neural Hamiltonian Flow (Eq. 6 of the paper).

The ELBO needs differentiable samples from it and the density at those samples, but never the density elsewhere. So it
is a chain of monotone functions of standard normal noise that need no inverse in closed form.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from hgn_jax.networks.mlp import mlp

Params = dict[str, Any]


class MomentumPosterior(NamedTuple):
    """f(p|q) as pure functions of its parameters.

    Attributes:
      init: `(key, q) -> params`.
      sample: `(params, q, noise) -> (p, log_prob)`: `q` is `[batch, d]`, `noise` is standard normal,
        `[samples, batch, d]`, `p` is shaped like `noise`, and `log_prob` is `[samples, batch]` in nats.
    """

    init: Callable[[jax.Array, jax.Array], Params]
    sample: Callable[[Params, jax.Array, jax.Array], tuple[jax.Array, jax.Array]]


def make_momentum_posterior(
    dim: int, hidden_sizes: tuple[int, ...], layers: int = 0, bends: int = 0
) -> MomentumPosterior:
    """Builds the Gaussian N(mu(q), sigma(q)) of noise that first passes through monotone layers.

    Each layer bends every other dimension; see `_bend`. Its shape depends on q and on the dimensions that it leaves
    unchanged.

    Args:
      dim: Dimension d of q and of p.
      hidden_sizes: Widths of the hidden layers of the ReLU networks.
      layers: Number of monotone layers; 0 for the paper's Gaussian.
      bends: Number of tanh terms of each layer, per dimension.
    """
    dimensions = jnp.arange(dim)
    masks = [(dimensions % 2 == i % 2) | (dim == 1) for i in range(layers)]  # a single dimension is bent every time
    mean, scale = (mlp((*hidden_sizes, dim), "relu", output_gain=gain) for gain in (1.0, 0.1))
    bend = mlp((*hidden_sizes, 3 * bends * dim), "relu", output_gain=0.1)

    def init(key: jax.Array, q: jax.Array) -> Params:
        mean_key, scale_key, *bend_keys = jax.random.split(key, layers + 2)
        conditions = jnp.concatenate([q, q], axis=-1)
        return {
            "mean": mean.init(mean_key, q),
            "scale": scale.init(scale_key, q),
            "bends": tuple(bend.init(k, conditions) for k in bend_keys),
        }

    def sample(params: Params, q: jax.Array, noise: jax.Array) -> tuple[jax.Array, jax.Array]:
        x, log_prob = noise, jnp.sum(jax.scipy.stats.norm.logpdf(noise), axis=-1)
        repeated_q = jnp.broadcast_to(q, x.shape)
        for bend_params, mask in zip(params["bends"], masks, strict=True):
            conditions = jnp.concatenate([repeated_q, jnp.where(mask, 0.0, x)], axis=-1)
            shape = bend.apply(bend_params, conditions).reshape(*x.shape, bends, 3)
            bent, log_slope = _bend(x, shape)
            x = jnp.where(mask, bent, x)
            log_prob -= jnp.sum(jnp.where(mask, log_slope, 0.0), axis=-1)
        log_scale = scale.apply(params["scale"], q)
        p = mean.apply(params["mean"], q) + jnp.exp(log_scale) * x
        return p, log_prob - jnp.sum(log_scale, axis=-1)

    return MomentumPosterior(init=init, sample=sample)


def _bend(x: jax.Array, shape: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Returns x + sum_k a_k tanh(b_k (x - c_k)) with a_k, b_k > 0, and the log of its slope.

    Args:
      x: Numbers, `[...]`.
      shape: Unconstrained a, b and c for each of them, `[..., bends, 3]`.
    """
    a, b, c = jnp.moveaxis(shape, -1, 0)
    a, b = jax.nn.softplus(a - 3.0), jax.nn.softplus(b + 1.0)
    c = c + jnp.linspace(-2.0, 2.0, c.shape[-1], dtype=c.dtype)  # spread over the noise
    step = jnp.tanh(b * (x[..., None] - c))
    return x + jnp.sum(a * step, axis=-1), jnp.log1p(jnp.sum(a * b * (1.0 - step**2), axis=-1))
