"""What `experiments.hnn` learns from: windows of three frames, or true states with noise."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from experiments.hgn.data import Clips
from experiments.hnn.presets import Config
from experiments.run.experiment import Experiment
from hgn_jax.data import datasets as data
from hgn_jax.data.batching import BatchOrder
from hgn_jax.training import hosts

STATE_FEATURES = ("q", "p", "dq_dt", "dp_dt")
WINDOW = 3  # frames: two pairs, whose embeddings have a difference
_SPLITS = ("train", "test")  # numbers of the streams of the noise
_CHUNK = 500  # examples read at a time

Batch = dict[str, np.ndarray]


def batches(experiment: Experiment) -> Callable[[int], Batch]:
    """This process's part of the batch of a step, a function of the step alone."""
    make = _state_batches if experiment.config.model == "state" else _window_batches
    return make(experiment.config, experiment.data)


def example_batch(config: Config, clips: Clips) -> Batch:
    """One example of what a batch holds."""
    features = STATE_FEATURES if config.model == "state" else ("image",)
    return data.stack(clips.splits["train"], [0], features)


def unit_of_training(config: Config, clips: Clips) -> tuple[str, int]:
    """What the speed of training is counted in, and how many of them are in an example of a batch."""
    return ("state", len(clips.splits["train"][0]["q"])) if config.model == "state" else ("frame", WINDOW)


def load_states(config: Config, clips: Clips, split: str, num_examples: int | None = None, noise: bool = True) -> Batch:
    """The true states and time derivatives of the first examples of a split, each `[examples, frames, d]` float32.

    Where the configuration asks for noise, `q` and `p` have it; it depends on the seed of the training, the split and
    the number of the example alone.
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
    """As many states as `batch_size` trajectories have, drawn from all trajectories."""
    states = {name: np.concatenate(values) for name, values in load_states(config, clips, "train").items()}
    size, length = config.training.batch_size, unit_of_training(config, clips)[1]
    order, part = BatchOrder(len(states["q"]), size * length, config.training.seed), hosts.own_part(size)

    def batch_at(step: int) -> Batch:
        indices = order(step).reshape(size, length)[part]
        return {name: values[indices] for name, values in states.items()}

    return batch_at


def _window_batches(config: Config, clips: Clips) -> Callable[[int], Batch]:
    """Three successive frames of each clip of a batch, from a random one on."""
    source, size, seed = clips.splits["train"], config.training.batch_size, config.training.seed
    order, part = BatchOrder(len(source), size, seed), hosts.own_part(size)

    def batch_at(step: int) -> Batch:
        images = data.stack(source, order(step)[part], ("image",))["image"]
        starts = np.random.default_rng((seed, step)).integers(images.shape[1] - WINDOW + 1, size=size)[part]
        return {"image": _windows(images, starts)}

    return batch_at


def _windows(images: Any, starts: Sequence[int]) -> np.ndarray:
    return np.stack([clip[start : start + WINDOW] for clip, start in zip(images, starts, strict=True)])
