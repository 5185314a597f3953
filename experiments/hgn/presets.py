"""The configurations that `--config=NAME` picks, and what makes one valid.

`<system>` is the paper's scale, `<system>_small` fits two CPU cores, `<system>_plus_plus` and the same with `_small`
are HGN++, `video` is for your own videos. (No `from __future__ import annotations` here: the overrides
`--config.field=value` read the types of the fields. And no JAX before these are checked: it takes seconds to import.)
"""

import dataclasses
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from experiments.run import preset_checks
from hgn_jax.models import hgn_config
from hgn_jax.training import geco_config, training_config
from hgn_jax.training.geco_config import GECOConfig
from hgn_jax.training.training_config import OptimizerConfig, TrainingConfig

if TYPE_CHECKING:
    from tensorflow_datasets.core import BuilderConfig


@dataclasses.dataclass
class DataConfig:
    """Which data set. What is None is as in the builder's configuration.

    Attributes:
      name: a builder's name, that of a system or `video_folder`.
      config: a builder's configuration, `paper`, `small`, `noise_free`, ...; the image size is the model's.
      data_dir: root of the data sets; None for TFDS's, $TFDS_DATA_DIR or ~/tensorflow_datasets.
      num_steps: frames after the first.
      num_train: number of training trajectories (this and the next two of simulated systems only).
      num_test: number of test trajectories.
      observation_noise: standard deviation of the noise on the coordinates.
      source: the directory of your videos (this and all that follow of `video_folder` only).
      fingerprint: of the files in `source`; filled in when a run starts, so that it stays with these very files.
      frame_step: every how many frames of a video one is taken.
      stride: taken frames from the start of a window to the start of the next.
      fit: how a frame becomes a square, `stretch` or `crop`.
      split_by: what is kept for testing: whole files (`file`), clips of files that hold many (`clip`), or the end of
        every clip (`time`).
      test_fraction: the part that is kept for testing.
      split_seed: which files or clips these are.
      fields: JSON of any other fields of the builder's configuration, as {"damping": 0.1, "constants": {"g": 2}}.
    """

    name: str = "mass_spring"
    config: str = "paper"
    data_dir: str | None = None
    num_steps: int | None = None
    num_train: int | None = None
    num_test: int | None = None
    observation_noise: float | None = None
    source: str | None = None
    fingerprint: str | None = None
    frame_step: int | None = None
    stride: int | None = None
    fit: str | None = None
    split_by: str | None = None
    test_fraction: float | None = None
    split_seed: int | None = None
    fields: str | None = None


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


SYSTEMS = ("mass_spring", "pendulum", "two_body", "three_body", "double_pendulum")
_SMALL_STEPS = {"mass_spring": 1650}
_OTHER_SMALL_STEPS = 5000


def _paper(system: str) -> Config:
    return Config(preset=system, data=DataConfig(name=system))


def _small(preset: str, data: DataConfig) -> Config:
    """Thinner networks, a fast schedule, and a loss that looks at few frames and at first not far ahead.

    Minutes where the paper's takes days. The growing horizon matters most: from all 31 frames at once, the model learns
    nothing for many hundred steps.
    """
    return Config(
        preset=preset,
        state_channels=8,
        encoder_filters=(32, 48, 64, 64),
        transform_filters=(32, 32),
        hamiltonian_filters=(32, 32, 32),
        decoder_filters=(64, 32, 16),
        block_activation="leaky_relu",
        loss_frames=6,
        initial_horizon=6,
        horizon_growth=0.4,
        data=data,
        optimizer=OptimizerConfig(learning_rate=2e-3, schedule="cosine", warmup_fraction=0.05, gradient_clip=1.0),
        training=TrainingConfig(
            num_steps=_SMALL_STEPS.get(data.name, _OTHER_SMALL_STEPS), log_every=20, checkpoint_every=200
        ),
        evaluation=EvaluationConfig(num_examples=500),
    )


def _plus_plus(config: Config, preset: str) -> Config:
    """HGN++, the later improvements of the same group (Botev et al. 2021, arXiv 2111.05458, and the code with it).

    Their objective is beta * KL plus the squared error summed over pixels, colours and frames; ours weighs the sum over
    31 frames by 1 / 62. So this beta is about 0.1 of theirs, who tried 0.001, 0.1, 1 and 2. They trained on 65 frames.
    Their code counts the layer that yields the energy among the five; encoder and decoder are here those of HGN.
    """
    return dataclasses.replace(
        config,
        preset=preset,
        latent="vector",
        state_channels=16,
        use_transform=False,
        hamiltonian_network="mlp",
        hamiltonian_filters=(250,) * 5,
        hamiltonian_activation="swish",
        hamiltonian_output_gain=1.0,
        inference_frames=5,
        rollout_directions="both",
        objective="elbo",
        beta=0.0016,
    )


def _presets() -> Iterator[Config]:
    for system in SYSTEMS:
        small = DataConfig(name=system, config="small")
        yield _paper(system)
        yield _small(f"{system}_small", small)
        yield _plus_plus(_paper(system), f"{system}_plus_plus")
        yield _plus_plus(_small("", small), f"{system}_plus_plus_small")
    yield _small("video", DataConfig(name="video_folder", config="default"))


PRESETS = {config.preset: config for config in _presets()}


def get(name: str) -> Config:
    """Returns a fresh copy of the preset `name`; raises ValueError listing the names there are."""
    return preset_checks.pick(PRESETS, name)


def dataset_config(config: Config) -> "BuilderConfig":
    """The builder configuration that `config.data` and the image size ask for; raises ValueError if there is none."""
    from data_builders import datasets  # imports JAX

    changes = {field: value for field, value in vars(config.data).items() if value is not None}
    name, base = changes.pop("name"), changes.pop("config")
    changes.pop("data_dir", None)
    changes |= preset_checks.parse_fields(changes.pop("fields", "{}"))
    return datasets.derive_config(name, base, image_size=config.image_size, **changes)


def settle(config: Config) -> Config:
    """Fills in what a configuration leaves to the files in `data.source`, if it names any; ValueError if it cannot."""
    if config.data.source is None:
        return config
    dataset = dataset_config(config)
    found = {field: getattr(dataset, field) for field in ("source", "fingerprint")}
    return dataclasses.replace(config, data=dataclasses.replace(config.data, **found))


def validate_fields(config: Config, num_devices: int = 1) -> None:
    """Raises ValueError in one line for what cannot be, as far as it can be told without the data set's builder.

    Args:
      config: the configuration.
      num_devices: that it will run on; 1 where it is not known yet.
    """
    hgn_config.validate(config)
    training_config.validate(config.optimizer, config.training, num_devices)
    geco_config.validate(config.geco)
    if config.rollout_directions == "both" and config.training.batch_size < 2:
        raise ValueError(
            f"rollout_directions=both needs training.batch_size of 2 or more, got {config.training.batch_size}"
        )
    preset_checks.validate_clips(config.data, config.evaluation)


def validate(config: Config, num_devices: int) -> None:
    """Raises ValueError in one line that names what cannot be and what can, before anything slow starts."""
    validate_fields(config, num_devices)
    dataset = dataset_config(config)
    hgn_config.validate_frames(config, dataset.num_steps + 1)
    if dataset.num_trajectories():  # which videos do not tell before they are read
        validate_size(config, dataset.num_trajectories())


def validate_size(config: Config, num_trajectories: Mapping[str, int]) -> None:
    """Raises ValueError if the splits are too small for a batch, or to be measured."""
    advice = "; a smaller --config.data.stride cuts more windows" if config.data.source else ""
    if config.training.batch_size > num_trajectories["train"]:
        raise ValueError(
            f"training.batch_size is {config.training.batch_size}, but there are only {num_trajectories['train']} "
            f"trajectories{advice}"
        )
    if num_trajectories["test"] < 2:
        raise ValueError(f"the test split has one trajectory, and two are needed to measure a model{advice}")
