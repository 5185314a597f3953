"""The configurations that `--config=NAME` picks, and what makes one valid.

`<system>` is the paper's scale, `<system>_small` fits two CPU cores. (No `from __future__ import annotations` here: the
overrides `--config.field=value` read the types of the fields.)
"""

import copy
import dataclasses

from data_builders import build
from data_builders.physics_builder import PhysicsConfig
from hgn_jax import hgn_config, training
from hgn_jax.geco import GECOConfig, geco
from hgn_jax.training import OptimizerConfig, TrainingConfig


@dataclasses.dataclass
class DataConfig:
    """Which data set. What is None is as in the builder's configuration.

    Attributes:
      name: a builder's name, `mass_spring`, `pendulum`, `two_body` or `three_body`.
      config: a builder's configuration, `paper`, `small`, `noise_free`, ...; the image size is the model's.
      data_dir: root of the data sets; None for TFDS's, $TFDS_DATA_DIR or ~/tensorflow_datasets.
      num_train: number of training trajectories.
      num_test: number of test trajectories.
      num_steps: frames after the first.
      observation_noise: standard deviation of the noise on the coordinates.
    """

    name: str = "mass_spring"
    config: str = "paper"
    data_dir: str | None = None
    num_train: int | None = None
    num_test: int | None = None
    num_steps: int | None = None
    observation_noise: float | None = None


@dataclasses.dataclass
class EvaluationConfig:
    """The final evaluation.

    Attributes:
      num_examples: trajectories of each split that are reconstructed, from the first; None for all.
      batch_size: trajectories at a time; bounds the memory.
    """

    num_examples: int | None = 10_000
    batch_size: int = 50


@dataclasses.dataclass
class Config(hgn_config.HGNConfig):
    """An experiment: the fields of the model, and beside them the parts that follow.

    Attributes:
      preset: the name it was made under.
      data: which data set.
      optimizer: Adam and its schedule.
      geco: the multiplier's settings, where `objective` is `geco`.
      training: length and rhythm.
      evaluation: the final evaluation.
    """

    program = "hgn"  # of every such configuration, no field

    preset: str = ""
    data: DataConfig = dataclasses.field(default_factory=DataConfig)
    optimizer: OptimizerConfig = dataclasses.field(default_factory=OptimizerConfig)
    geco: GECOConfig = dataclasses.field(default_factory=GECOConfig)
    training: TrainingConfig = dataclasses.field(default_factory=TrainingConfig)
    evaluation: EvaluationConfig = dataclasses.field(default_factory=EvaluationConfig)


SYSTEMS = ("mass_spring", "pendulum", "two_body", "three_body")
_SMALL_STEPS = {"mass_spring": 2000, "pendulum": 5000, "two_body": 5000, "three_body": 5000}


def _paper(system: str) -> Config:
    return Config(preset=system, data=DataConfig(name=system))


def _small(system: str) -> Config:
    """Thinner networks, a fast schedule, and a loss that looks at few frames and at first not far ahead.

    Minutes where the paper's takes days. The growing horizon matters most: from all 31 frames at once, the model learns
    nothing for many hundred steps.
    """
    return Config(
        preset=f"{system}_small",
        state_channels=8,
        encoder_filters=(32, 48, 64, 64),
        transform_filters=(32, 32),
        hamiltonian_filters=(32, 32, 32),
        decoder_filters=(64, 32, 16),
        block_activation="leaky_relu",
        loss_frames=6,
        initial_horizon=6,
        horizon_growth=0.4,
        data=DataConfig(name=system, config="small"),
        optimizer=OptimizerConfig(learning_rate=2e-3, schedule="cosine", warmup_fraction=0.05, gradient_clip=1.0),
        training=TrainingConfig(num_steps=_SMALL_STEPS[system], log_every=20, checkpoint_every=200),
        evaluation=EvaluationConfig(num_examples=500),
    )


PRESETS = {config.preset: config for system in SYSTEMS for config in (_paper(system), _small(system))}


def get(name: str) -> Config:
    """Returns a fresh copy of the preset `name`; raises ValueError listing the names there are."""
    if name not in PRESETS:
        raise ValueError(f"unknown preset {name!r}; choose one of {', '.join(PRESETS)}")
    return copy.deepcopy(PRESETS[name])


def dataset_config(config: Config) -> PhysicsConfig:
    """The builder configuration that `config.data` and the image size ask for; raises ValueError if there is none."""
    data = config.data
    fields = ("num_train", "num_test", "num_steps", "observation_noise")
    changes = {field: getattr(data, field) for field in fields if getattr(data, field) is not None}
    return build.derive_config(data.name, data.config, image_size=config.image_size, **changes)


def validate(config: Config, num_devices: int) -> None:
    """Raises ValueError in one line that names what cannot be and what can, before anything slow starts."""
    hgn_config.validate(config)
    training.validate(config.optimizer, config.training, num_devices)
    geco(config.geco)
    dataset = dataset_config(config)
    hgn_config.validate_frames(config, dataset.num_steps + 1)
    if config.training.batch_size > dataset.num_train:
        raise ValueError(
            f"training.batch_size is {config.training.batch_size}, but there are only {dataset.num_train} trajectories"
        )
    if config.evaluation.batch_size < 1:
        raise ValueError(f"evaluation.batch_size must be 1 or more, got {config.evaluation.batch_size}")
    if config.evaluation.num_examples is not None and config.evaluation.num_examples < 2:
        raise ValueError(f"evaluation.num_examples must be 2 or more, or None; got {config.evaluation.num_examples}")
