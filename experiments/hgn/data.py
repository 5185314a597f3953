"""The training batches of HGN: whole clips."""

import jax

from experiments.clips.data import Clips
from experiments.hgn.presets import Config
from experiments.tasks import Batches
from hgn_jax import data
from hgn_jax.training import hosts

_CACHED_BYTES = 8e9  # the paper's training clips take 4.8e9
_EXAMPLES = 64  # clips that the mean image is taken from when a model is initialised


def batches(config: Config, clips: Clips) -> Batches:
    """Returns this process's share of the training batches, `image` `[examples, frames, size, size, 3]` uint8."""
    source, size = clips.splits["train"], config.training.batch_size
    example = data.stack(source, range(0, len(source), -(-len(source) // _EXAMPLES)), ("image",))
    if jax.default_backend() != "cpu":  # an accelerator learns faster than clips are read from disk
        source = data.Cached(source, ("image",), _CACHED_BYTES)
    order = data.Batches(source, size, config.training.seed, part=hosts.local_slice(size))
    return Batches(batch_at=order, example=example, unit="frame", units_per_example=example["image"].shape[1])
