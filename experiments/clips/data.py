"""The data set of a model of frames: opened, built first if it is missing."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from data_builders import datasets
from experiments.clips.config import dataset_config, require_enough_trajectories
from hgn_jax import data


class Clips(NamedTuple):
    """A data set of clips.

    Attributes:
      splits: Random-access splits, `train` and `test`, of examples with an `image` `[frames, size, size, 3]`, uint8.
      metadata: The data set's description of itself.
    """

    splits: Mapping[str, Any]
    metadata: Mapping[str, Any]

    @property
    def num_frames(self) -> int:
        """Length of a training clip; those of the test split may be longer."""
        return len(self.splits["train"][0]["image"])

    @property
    def has_true_states(self) -> bool:
        """Whether the examples have the true states, as those of simulated systems have and videos have not."""
        return "canvas" in self.metadata


def open_clips(config: Any) -> Clips:
    """Opens the data set of a configuration, and builds it first if it is missing.

    Raises:
      ValueError: In one line, if it cannot be built, is damaged (a DatasetError) or is too small.
    """
    path = datasets.ensure_built(config.data.name, dataset_config(config), config.data.data_dir)
    splits = datasets.read_metadata(path)["splits"]
    require_enough_trajectories(config, {name: split["num_trajectories"] for name, split in splits.items()})
    return Clips(*data.open_dataset(path))
