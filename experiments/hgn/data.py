"""The experiment that a configuration of `experiments.hgn.presets` stands for: its data set and its HGN."""

import contextlib
import pathlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import jax

from data_builders import datasets
from experiments.hgn import presets
from experiments.run import experiment
from experiments.run.command_line import user_errors
from experiments.run.experiment import Experiment
from experiments.run.run_directory import RunDirectory
from hgn_jax.data import datasets as data
from hgn_jax.models.hgn import make_hgn
from hgn_jax.training import hosts

_CACHED_BYTES = 8e9  # the paper's training clips are 4.8e9


class Clips(NamedTuple):
    """A data set: its random-access splits by name, and what it says of itself."""

    splits: dict[str, Any]
    metadata: dict[str, Any]


@contextlib.contextmanager
def claim(
    workdir: str, config: Any, validate: Callable[[Any, int], None]
) -> Iterator[tuple[RunDirectory, Any, pathlib.Path]]:
    """`experiment.claim` for a model of clips.

    Yields:
      The run's directory, the configuration with what it is to keep of the videos, and the directory of the data set.

    Raises:
      UserError, DatasetError: in one line, for all that the user can mend.
    """
    with hosts.together(), user_errors():
        config = presets.settle(config)
    with experiment.claim(workdir, config, validate, build_dataset) as (run, dataset):
        yield run, config, dataset


def build_dataset(config: presets.Config) -> pathlib.Path:
    """Builds the data set if it is missing and returns its directory.

    Raises:
      ValueError: if it is not whole (then a DatasetError), or too small.
    """
    path = datasets.ensure_built(config.data.name, presets.dataset_config(config), config.data.data_dir)
    splits = datasets.read_metadata(path)["splits"]
    presets.validate_size(config, {split: found["num_trajectories"] for split, found in splits.items()})
    return path


def load(run: RunDirectory, config: presets.Config, dataset: pathlib.Path) -> Experiment:
    """Makes the model and restores the newest checkpoint, if there is one."""
    clips = Clips(*data.open_dataset(dataset))
    batch = data.stack(clips.splits["train"], [0], ("image",))
    hgn = make_hgn(config)
    return experiment.load(run, config, hgn, clips, hgn.init, batch)


def batches(config: presets.Config, clips: Sequence[data.Example]) -> data.Batches:
    """This process's part of the batch of each step; for an accelerator clips are kept in memory once they are read."""
    if jax.default_backend() != "cpu":  # which reads them far sooner than it learns from them
        clips = data.Cached(clips, ("image",), _CACHED_BYTES)
    size = config.training.batch_size
    return data.Batches(clips, size, config.training.seed, part=hosts.own_part(size))
