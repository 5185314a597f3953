"""A tiny HGN with random parameters, clips for it, and a run of it in memory."""

import functools
import pathlib
from types import SimpleNamespace
from typing import Any

import jax
import numpy as np

from experiments.clips.data import Clips
from experiments.hgn.presets import Config
from experiments.run.run_directory import RunDirectory
from experiments.run.trainer import Run
from hgn_jax import make_hgn
from hgn_jax.models.hgn import HGN

CONFIG = Config(
    image_size=8, state_channels=2, encoder_filters=(4, 4), transform_filters=(4,), hamiltonian_filters=(4,),
    decoder_filters=(4,), dt=0.05,
)  # fmt: skip
CLIPS = np.random.default_rng(0).integers(0, 256, (3, 5, 8, 8, 3), dtype=np.uint8)


@functools.cache
def model() -> tuple[HGN, Any]:
    """Returns the model and its parameters."""
    hgn = make_hgn(CONFIG)
    return hgn, hgn.init(jax.random.PRNGKey(0), {"image": CLIPS})


class Source(list):
    """Examples as data sets give them."""

    def __getitems__(self, indices):
        return [self[i] for i in indices]


def run(metadata: dict[str, Any], **features: np.ndarray) -> Run:
    """Returns a run whose splits both have the `CLIPS`, with more features, `[clips, frames, ...]`."""
    hgn, params = model()
    examples = Source({"image": clip, **{name: x[i] for name, x in features.items()}} for i, clip in enumerate(CLIPS))
    clips = Clips({"train": examples, "test": examples}, metadata)
    return Run(RunDirectory(pathlib.Path("runs/tiny")), CONFIG, hgn, clips, SimpleNamespace(params=params, step=0), {})
