"""Random parameters for the tests of models: drawing a model's own initial parameters takes long to compile."""

import jax
import jax.numpy as jnp
import numpy as np


def random_params(model, batch, seed: int = 0, gain: float = 1.0, dtype=None):
    """Random parameters of a model.

    Biases are random too, because a ReLU of exactly 0 has no gradient to compare.

    Args:
      model: The model.
      batch: A batch of the right shapes.
      seed: Seed of the numbers.
      gain: Standard deviation of the outputs of a linear layer for inputs of standard deviation 1.
      dtype: Type of the numbers; JAX's default for None.
    """
    rng = np.random.default_rng(seed)

    def draw(x):
        scale = gain / np.prod(x.shape[:-1]) ** 0.5 if len(x.shape) > 1 else 0.1 * gain
        return jnp.asarray(scale * rng.normal(size=x.shape), dtype)

    return jax.tree.map(draw, jax.eval_shape(model.init, jax.random.PRNGKey(0), batch))
