"""A toy model for tests of the training: a linear regression that compiles in a moment."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from hgn_jax.training import Batch, Params

NUM_FEATURES = 3


class ToyModel(NamedTuple):
    """A `hgn_jax.training.Model` whose loss depends on each of its arguments.

    Attributes:
      tolerance: Mean squared error that the constraint allows.
    """

    tolerance: float = 0.1

    def init(self, key: jax.Array, batch: Batch) -> Params:
        """Draws the weights; `batch["x"]` is `[batch, NUM_FEATURES]`."""
        return {"w": jax.random.normal(key, batch["x"].shape[1:], batch["x"].dtype)}

    def loss(self, params, multiplier, key, batch, *, progress=1.0, slots=None):
        """The Lagrangian of small weights that predict 1 with little error; the noise of the error grows slowly."""
        x = batch["x"]
        slots = jnp.arange(len(x)) if slots is None else slots
        noise = jax.vmap(lambda slot: jax.random.normal(jax.random.fold_in(key, slot), (), x.dtype))(slots)
        error = jnp.mean((x @ params["w"] + 0.1 * (1.0 + progress) * noise - 1.0) ** 2)
        constraint = error - self.tolerance
        return multiplier * constraint + jnp.sum(params["w"] ** 2), {"error": error, "constraint": constraint}


def batch_at(step: int, batch_size: int = 4, dtype: type = np.float32) -> Batch:
    """Returns the batch of a step."""
    return {"x": np.random.default_rng(step).normal(size=(batch_size, NUM_FEATURES)).astype(dtype)}
