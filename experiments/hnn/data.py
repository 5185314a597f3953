"""The training batches of HNN: windows of three frames, or true states with noise."""

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from experiments.clips.data import Clips
from experiments.hnn.presets import Config
from experiments.tasks import Batches
from hgn_jax import data
from hgn_jax.data.batching import BatchOrder
from hgn_jax.training import hosts

STATE_FEATURES = ("q", "p", "dq_dt", "dp_dt")
WINDOW = 3  # frames: two pairs, whose embeddings have a difference
_SPLITS = ("train", "test")  # in the order of the streams of the noise
_CHUNK = 500  # examples read at a time

Batch = dict[str, np.ndarray]


def batches(config: Config, clips: Clips) -> Batches:
    """Returns this process's share of the training batches.

    The models of frames take `image` `[examples, 3, size, size, 3]`, uint8; the model `state` takes `q`, `p` and their
    time derivatives, `[examples, frames, d]`, float32.
    """
    source = clips.splits["train"]
    if config.model == "state":
        example = data.stack(source, [0], STATE_FEATURES)
        return Batches(_state_batches(config, clips), example, unit="state", units_per_example=len(example["q"][0]))
    example = data.stack(source, [0], ("image",))
    return Batches(_window_batches(config, source), example, unit="frame", units_per_example=WINDOW)


def load_states(config: Config, clips: Clips, split: str, num_examples: int | None = None, noise: bool = True) -> Batch:
    """Reads the true states and time derivatives of the first examples of a split, `[examples, frames, d]` float32.

    Where the configuration asks for noise, it is added to `q` and `p`; it depends only on the seed of the training, the
    split and the number of the example.
    """
    source = clips.splits[split]
    total = min(num_examples or len(source), len(source))
    parts = [
        data.stack(source, range(first, min(first + _CHUNK, total)), STATE_FEATURES)
        for first in range(0, total, _CHUNK)
    ]
    states = {name: np.concatenate([part[name] for part in parts]) for name in STATE_FEATURES}
    if noise and config.state_noise:
        for i in range(total):
            draw = np.random.default_rng((config.training.seed, _SPLITS.index(split), i)).standard_normal
            for name in ("q", "p"):
                states[name][i] += config.state_noise * draw(states[name][i].shape)
    return states


def _state_batches(config: Config, clips: Clips) -> Callable[[int], Batch]:
    """A batch holds as many states as `batch_size` trajectories have, drawn from all trajectories."""
    size = config.training.batch_size
    share = hosts.local_slice(size)

    @functools.cache
    def load() -> tuple[Batch, BatchOrder, int]:
        states = load_states(config, clips, "train")
        length = states["q"].shape[1]
        states = {name: np.concatenate(values) for name, values in states.items()}
        return states, BatchOrder(len(states["q"]), size * length, config.training.seed), length

    def batch_at(step: int) -> Batch:
        states, order, length = load()
        indices = order(step).reshape(size, length)[share]
        return {name: values[indices] for name, values in states.items()}

    return batch_at


def _window_batches(config: Config, source: Sequence[Any]) -> Callable[[int], Batch]:
    """A batch holds three successive frames of each of its clips, starting at a random one."""
    size, seed = config.training.batch_size, config.training.seed
    order, share = BatchOrder(len(source), size, seed), hosts.local_slice(size)

    def batch_at(step: int) -> Batch:
        images = data.stack(source, order(step)[share], ("image",))["image"]
        starts = np.random.default_rng((seed, step)).integers(images.shape[1] - WINDOW + 1, size=size)[share]
        windows = [clip[start : start + WINDOW] for clip, start in zip(images, starts, strict=True)]
        return {"image": np.stack(windows)}

    return batch_at
