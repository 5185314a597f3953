"""Tiny runs of every task: the smallest networks, trained for a few steps on a few short clips."""

import dataclasses
import functools
import pathlib
from typing import Any
from unittest import mock

import filelock
import numpy as np

from data_builders.simulation import draws
from experiments.run import trainer
from experiments.run.presets import pick
from experiments.run.program import execute
from experiments.run.results import read_results
from experiments.run.run_directory import RunDirectory
from experiments.tasks import TASKS, Task
from hgn_jax.training.training_config import TrainingConfig

NUM_STEPS, NUM_FRAMES, NUM_EXAMPLES, HORIZONS = 4, 9, 10, (3, 6)

# Preset and changes of each run by its name, whose first word is the name of the task.
_RUNS = {
    "hgn": ("mass_spring_small", {}),
    "hgn plus_plus": ("mass_spring_plus_plus_small", {"inference_frames": 5}),
    "hgn anchored": (
        "mass_spring_anchored",
        {"inference_frames": 5, "seen_frames": 7, "refinement_steps": 2, "friction": 0.1},
    ),
    "hgn vector": (
        "pendulum_anchored_noise_free",
        {
            "latent": "vector",
            "chart": "none",
            "painter": "points",
            "time_reversal": True,
            "sharpen_points": False,
            "frame_weight": 0.0,
            "refinement_steps": 1,
        },
    ),
    "hnn pixel": ("mass_spring_small", {}),
    "hnn convolutional": ("mass_spring_conv_small", {}),
    "hnn state": ("two_body_state", {}),
    "nhf density": ("four_modes", {}),
    "nhf table": ("file", {"dimension": 3}),
    "nhf column": ("file", {"dimension": 1}),
}
NAMES = tuple(_RUNS)
SLOW = ("hgn plus_plus", "hgn anchored", "hgn vector", "hnn convolutional", "nhf column")


@dataclasses.dataclass(frozen=True)
class TinyRun:
    """A finished run, which must not be changed.

    Attributes:
      task: Its task.
      config: Its configuration, as it was given to `execute`.
      directory: Its directory.
    """

    task: Task
    config: Any
    directory: RunDirectory

    @functools.cached_property
    def results(self) -> Any:
        """The results that it left."""
        return read_results(self.directory.metrics, self.task.results_class(self.config))

    @functools.cached_property
    def run(self) -> trainer.Run:
        """The run restored from its checkpoint."""
        return trainer.restore(self.directory)[1]


def finished(name: str, root: pathlib.Path) -> TinyRun:
    """Returns the run of a name in `NAMES`, which is made if it is not below `root` yet."""
    preset, changes = _RUNS[name]
    task = TASKS[name.partition(" ")[0]]
    config = shrink(pick(task.presets, preset), root, **changes)
    directory = RunDirectory(root / name.replace(" ", "_"))
    # Workers share the runs, and the data sets that several runs have.
    with filelock.FileLock(root / f"{config.data.name}.lock"):
        if not directory.metrics.exists():
            execute_quickly(task, config, directory.path)
    return TinyRun(task, config, directory)


def execute_quickly(task: Task, config: Any, workdir: pathlib.Path) -> Any:
    """Executes a run; missing data are simulated in small chunks, and the flow's movie and densities are coarse."""
    with (
        mock.patch.object(draws, "CHUNK_SIZE", 20),
        mock.patch("experiments.nhf.pictures._MOVIE_FRAMES", 6),
        mock.patch("experiments.nhf.pictures._GRID_SIZE", 24),
    ):
        return execute(task, config, str(workdir))


def shrink(config: Any, root: pathlib.Path, **changes: Any) -> Any:
    """Gives the configuration of any task the tiny size; data sets are built below `root`."""
    return _SHRINK[config.program](config, root, **changes)


def _training(**changes: Any) -> TrainingConfig:
    return TrainingConfig(
        **{"num_steps": NUM_STEPS, "batch_size": 4, "log_every": 2, "checkpoint_every": 2, "seed": 3, **changes}
    )


def _shrink_frames(config: Any, root: pathlib.Path, **changes: Any) -> Any:
    data = {"num_steps": NUM_FRAMES - 1, "data_dir": str(root / "data")}
    if config.data.name != "video_folder":
        data |= {"num_train": 24, "num_test": 12}
    return dataclasses.replace(
        config,
        image_size=16,
        encoder_filters=(8, 8),
        decoder_filters=(8, 8),
        data=dataclasses.replace(config.data, **data),
        training=_training(),
        evaluation=dataclasses.replace(config.evaluation, num_examples=NUM_EXAMPLES, batch_size=4, horizons=HORIZONS),
        **changes,
    )


def _shrink_hgn(config: Any, root: pathlib.Path, **changes: Any) -> Any:
    sizes = {"state_channels": 2, "transform_filters": (8,), "hamiltonian_filters": (8,)}
    horizon = {"loss_frames": 3, "initial_horizon": 4, "unroll": 1}
    return _shrink_frames(config, root, **sizes, **horizon, **changes)


def _shrink_hnn(config: Any, root: pathlib.Path, **changes: Any) -> Any:
    sizes = {"hidden_sizes": (16,), "encoder_sizes": (16,), "decoder_sizes": (16,), "latent_channels": 4}
    config = _shrink_frames(config, root, **sizes, **changes)
    if config.model == "state":  # which is so small that it can learn something
        training = _training(num_steps=200, batch_size=8, log_every=50, checkpoint_every=100)
        config = dataclasses.replace(config, training=training)
        config.optimizer.learning_rate = 1e-2
    return config


def _shrink_nhf(config: Any, root: pathlib.Path, dimension: int | None = None, **changes: Any) -> Any:
    if dimension:
        config.data.path = str(root / f"{dimension}_columns.npy")
        np.save(config.data.path, np.random.default_rng(0).normal(size=(100, dimension)) * 5 + 2)
    training = _training(num_steps=60, batch_size=32, log_every=10, checkpoint_every=20)
    evaluation = dataclasses.replace(config.evaluation, num_points=150, num_samples=8)
    sizes = {"hidden_sizes": (16,), "posterior_sizes": (16,), "num_links": 2}
    return dataclasses.replace(config, **{**sizes, "training": training, "evaluation": evaluation, **changes})


_SHRINK = {"hgn": _shrink_hgn, "hnn": _shrink_hnn, "nhf": _shrink_nhf}
