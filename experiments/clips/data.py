"""The data set of a model of frames: opened, built first if it is missing."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from data_builders import caller, datasets
from data_builders.video_folder.advice import Film, advise
from experiments.clips.config import NUM_TEST, dataset_config, require_enough_trajectories
from hgn_jax import data
from hgn_jax.models.hgn_config import FRAME_COUNTS

_SHORTEST_WINDOW = 5  # frames; no shorter ones are advised


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
    dataset = dataset_config(config)
    with caller.calling(_caller(config)):
        path = datasets.ensure_built(config.data.name, dataset, config.data.data_dir)
        metadata = datasets.read_metadata(path)
        number = {name: split["num_trajectories"] for name, split in metadata["splits"].items()}
        films = metadata.get("films", [])
        advice = advise([Film(*film) for film in films], dataset) if films else ""
    require_enough_trajectories(config, number, advice)
    return Clips(*data.open_dataset(path))


def _caller(config: Any) -> caller.Caller:
    """Returns what the builder's messages know of a run: its flags, and how many examples it needs."""

    def flag(field: str, value: Any) -> str:
        if field == "batch_size":
            return f"--config.training.batch_size={value}"
        text = f"--config.data.{field}={value}"
        if field == "num_steps" and (getattr(config, "seen_frames", None) or 0) > value + 1:
            text += f" --config.seen_frames={value + 1}"
        return text

    counts = [getattr(config, field, None) or 1 for field in FRAME_COUNTS if field != "seen_frames"]
    return caller.Caller(flag, config.training.batch_size, NUM_TEST, max(_SHORTEST_WINDOW, *counts))
