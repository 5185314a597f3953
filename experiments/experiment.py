"""What a configuration stands for: its data set, its model, and its state so far."""

import pathlib
from typing import Any, NamedTuple

import optax

from data_builders import build
from experiments import presets
from experiments.run_directory import RunDirectory
from hgn_jax import data, training
from hgn_jax.checkpoints import Checkpoints
from hgn_jax.geco import GECO, geco
from hgn_jax.hgn import HGN, make_hgn


class Experiment(NamedTuple):
    """An experiment with everything made.

    Attributes:
      run: its directory.
      config: its configuration.
      hgn: the model.
      optimizer: Adam with its schedule.
      geco: the multiplier's rule.
      splits: the data set's random-access splits by name.
      metadata: what the data set says of itself; empty if it was not simulated.
      checkpoints: its checkpoints.
      state: the newest checkpoint's, or that before the first step.
      seconds: wall time so far, by kind of work.
    """

    run: RunDirectory
    config: presets.Config
    hgn: HGN
    optimizer: optax.GradientTransformation
    geco: GECO
    splits: dict[str, Any]
    metadata: dict[str, Any]
    checkpoints: Checkpoints
    state: training.TrainState
    seconds: dict[str, float]


def build_dataset(config: presets.Config) -> pathlib.Path:
    """Builds the data set if it is missing; returns its directory, or raises DatasetError if it is not whole."""
    return build.ensure_built(config.data.name, presets.dataset_config(config), config.data.data_dir)


def load(run: RunDirectory, config: presets.Config, dataset: pathlib.Path) -> Experiment:
    """Makes the model and restores the newest checkpoint, if there is one."""
    splits, metadata = data.open_dataset(dataset)
    hgn = make_hgn(config)
    optimizer = training.make_optimizer(config.optimizer, config.training.num_steps)
    multiplier = geco(config.geco)
    example = data.stack(splits["train"], [0], ("image",))
    state = training.init_state(hgn.init, optimizer, multiplier, config.training.seed, example)
    checkpoints, seconds = Checkpoints(run.checkpoints), {"training": 0.0}
    if checkpoints.latest_step is not None:
        state, notes = checkpoints.restore(state)
        seconds = notes["seconds"]
    return Experiment(run, config, hgn, optimizer, multiplier, splits, metadata, checkpoints, state, seconds)
