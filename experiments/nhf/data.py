"""The points that NHF learns from: fresh draws of a known density, or the rows of a table."""

from collections.abc import Callable
from typing import NamedTuple

import jax
import numpy as np

from experiments.nhf.presets import Config
from hgn_jax.data import tables
from hgn_jax.data.batching import BatchOrder
from hgn_jax.models.densities import TARGETS, Density, get_target
from hgn_jax.training import hosts


class Points(NamedTuple):
    """Points of R^d.

    Attributes:
      batch_at: Returns this process's share of the training batch of a step, `{"x": [examples, d]}`, a function of the
        step alone.
      test: Points that no batch holds, `[n, d]`.
      density: The density that they were drawn from; None for a table.
      table: The table that they were read from; None for a density.
    """

    batch_at: Callable[[int], dict[str, np.ndarray]]
    test: np.ndarray
    density: Density | None
    table: tables.Table | None


def load_points(config: Config) -> Points:
    """Makes the points that `config.data` asks for.

    Raises:
      ValueError: In one line, if they are to be read from a file that does not hold what is needed.
    """
    if config.data.name in TARGETS:
        return _drawn(config, get_target(config.data.name))
    rows = tables.load_table(config.data.path) if config.data.path else tables.example_rows(config.data.name)
    table = tables.make_table(rows, config.data.test_fraction, config.data.split_seed)
    order = BatchOrder(len(table.train), config.training.batch_size, config.training.seed)
    share = hosts.local_slice(config.training.batch_size)
    return Points(lambda step: {"x": table.train[order(step)[share]]}, table.test, None, table)


def _drawn(config: Config, density: Density) -> Points:
    draw = jax.jit(density.sample, static_argnums=1)
    key = jax.random.PRNGKey(config.training.seed)
    data_key = jax.random.fold_in(key, 1)  # the key itself makes the parameters and the noise of the training
    share = hosts.local_slice(config.training.batch_size)

    def batch_at(step: int) -> dict[str, np.ndarray]:
        return {"x": np.asarray(draw(jax.random.fold_in(data_key, step), config.training.batch_size))[share]}

    test_key = jax.random.fold_in(jax.random.PRNGKey(config.evaluation.seed), 2)
    return Points(batch_at, np.asarray(draw(test_key, config.evaluation.num_points)), density, None)
