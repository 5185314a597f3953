"""Terms of the losses that several models share."""

import jax
import jax.numpy as jnp


def geco_lagrangian(objective: jax.Array, multiplier: float | jax.Array, constraint: jax.Array) -> jax.Array:
    """The Lagrangian of GECO (Rezende & Viola 2018): `objective` is minimised subject to `constraint` <= 0.

    `hgn_jax.training.geco` updates the multiplier.
    """
    return objective + multiplier * constraint


def example_keys(key: jax.Array, slots: jax.Array) -> jax.Array:
    """A random key for each example, `[batch]` keys.

    A key depends on the number of the example within the global batch alone, so that every example draws the same noise
    however many devices share the batch.

    Args:
      key: Random key of the training step.
      slots: Number of each example within the global batch, `[batch]`.
    """
    return jax.vmap(lambda slot: jax.random.fold_in(key, slot))(slots)


def default_slots(slots: jax.Array | None, batch_size: int) -> jax.Array:
    """Numbers the examples from 0 where `slots` is None."""
    return jnp.arange(batch_size) if slots is None else slots
