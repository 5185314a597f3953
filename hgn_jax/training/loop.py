"""The training loop of every model."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import jax
import numpy as np

from hgn_jax.errors import DivergenceError, Stopped
from hgn_jax.training.model import Batch, Scalars
from hgn_jax.training.training_config import TrainingConfig
from hgn_jax.training.update import TrainState, Update

Item = TypeVar("Item")


def prefetch(batch_at: Callable[[int], Item], steps: Iterable[int]) -> Iterator[Item]:
    """Yields `batch_at(step)` for each step and reads the next batch in a thread while the current one is used."""
    with ThreadPoolExecutor(1) as pool:
        upcoming = None
        for step in steps:
            current, upcoming = upcoming, pool.submit(batch_at, step)
            if current is not None:
                yield current.result()
        if upcoming is not None:
            yield upcoming.result()


def train(
    update: Update,
    state: TrainState,
    batch_at: Callable[[int], Batch],
    config: TrainingConfig,
    *,
    log: Callable[[int, Scalars], None],
    save: Callable[[TrainState, list[Scalars]], None],
    unlogged: Sequence[Scalars] = (),
    stop: Callable[[int], bool] = lambda step: False,
) -> TrainState:
    """Continues a training from `state` to `config.num_steps` steps.

    Args:
      update: Training step from `make_update` or `compile_update`.
      state: State to start from; its arrays are donated to the first step.
      batch_at: Returns the batch of a step, split among the devices. It must depend on the step alone, so that a
        resumed run gets the same batches.
      config: Number of steps, and the intervals of `log` and `save`.
      log: Called with the number of steps done and the mean of the scalars since the last call, every `log_every`
        steps and after the last step.
      save: Called with a state known to be finite and the scalars of the steps since the last call of `log`, every
        `checkpoint_every` steps, after the last step, and on stopping.
      unlogged: The scalars that `save` received together with `state`.
      stop: Called after every step with the number of steps done. If it returns True, training stops.

    Returns:
      The state after the last step.

    Raises:
      DivergenceError: If a scalar is not finite. It names the first such step; the state is not saved.
      Stopped: After saving, if `stop` returned True before the last step.
    """
    start = int(state.step)
    rows, pending = list(unlogged), []  # the scalars since the last log, on the host and still on the device
    for step, batch in enumerate(prefetch(batch_at, range(start, config.num_steps)), start + 1):
        state, scalars = update(state, batch)
        pending.append(scalars)
        last = step == config.num_steps
        logs, saves = (step % every == 0 or last for every in (config.log_every, config.checkpoint_every))
        stops = stop(step)
        if logs or stops:
            rows, pending = rows + _fetch_finite(pending, step), []
        if logs:
            log(step, {name: float(np.mean([row[name] for row in rows])) for name in rows[0]})
            rows = []
        if saves or stops:
            save(state, rows)
        if stops and not last:
            raise Stopped(step)
    return state


def _fetch_finite(pending: list[dict[str, jax.Array]], last_step: int) -> list[Scalars]:
    """Copies scalars to the host, those of `last_step` last; raises DivergenceError at the first that is not finite."""
    rows = [{name: float(value) for name, value in row.items()} for row in jax.device_get(pending)]
    for step, row in enumerate(rows, last_step - len(rows) + 1):
        names = [name for name, value in row.items() if not np.isfinite(value)]
        if names:
            raise DivergenceError(step, names)
    return rows
