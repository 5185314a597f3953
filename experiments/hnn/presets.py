"""The configurations of `experiments.hnn`, and what makes one valid.

`<system>` is PixelHNN and `<system>_conv` HNN (conv), as the HGN paper trained them; `_small` are the same on the small
data set for fewer steps, minutes on two CPU cores. `<system>_state` learns from true states, also in minutes, and
`<system>_state_noisy` as Greydanus et al. (2019) did. (No `from __future__ import annotations` here: the overrides read
the types of the fields. And no JAX before these are checked: it takes seconds to import.)
"""

import dataclasses
import json
from collections.abc import Iterator

from experiments.hgn import presets
from experiments.hgn.presets import SYSTEMS, DataConfig, EvaluationConfig
from experiments.run import preset_checks
from hgn_jax.config_checks import at_least
from hgn_jax.models import hnn_config
from hgn_jax.models.hnn_config import HNNConfig
from hgn_jax.training import training_config
from hgn_jax.training.geco_config import GECOConfig
from hgn_jax.training.training_config import OptimizerConfig, TrainingConfig


@dataclasses.dataclass
class Config(HNNConfig):
    """An experiment: the fields of the model, and beside them those that follow.

    Attributes:
      preset: the name it was made under.
      state_noise: standard deviation of the Gaussian noise on the true states, drawn once for each, for the model
        `state`; the derivatives to be fitted have none.
      data: which data set.
      optimizer: Adam and its schedule.
      training: length and rhythm; a batch of the model `state` holds as many states as `batch_size`
        trajectories have, drawn from all of them.
      evaluation: the final evaluation.
    """

    program = "hnn"  # of every such configuration, no field
    geco = GECOConfig(initial=1.0)  # which has no constraint to enforce, no field either

    preset: str = ""
    state_noise: float = at_least(0.0, 0)
    data: DataConfig = dataclasses.field(default_factory=DataConfig)
    optimizer: OptimizerConfig = dataclasses.field(default_factory=lambda: OptimizerConfig(learning_rate=1e-3))
    training: TrainingConfig = dataclasses.field(default_factory=TrainingConfig)
    evaluation: EvaluationConfig = dataclasses.field(default_factory=EvaluationConfig)


_STATE_SIZES = {"mass_spring": 1, "pendulum": 1, "two_body": 4, "three_body": 6, "double_pendulum": 2}
_PAPER_STEPS, _SMALL_STEPS = 15_000, 3_000


@dataclasses.dataclass(frozen=True)
class Published:
    """A training of Greydanus et al. (2019), and the losses in the README of their code, field errors as ours.

    Attributes:
      span: the length of a trajectory in time.
      num_points: of a trajectory, both ends included.
      num_train: trajectories.
      num_test: trajectories.
      noise: standard deviation, on the states.
      data: fields of our builder that are not as in the HGN paper.
      batch_size: in trajectories; theirs of the two bodies is of 200 states.
      num_steps: of Adam with learning rate 1e-3.
      weight_decay: of all parameters.
      train_loss: as published.
      test_loss: as published.
    """

    span: float
    num_points: int
    num_train: int
    num_test: int
    noise: float
    data: dict[str, float]
    batch_size: int
    num_steps: int
    weight_decay: float
    train_loss: float
    test_loss: float


# Their Hamiltonians are ours with the HGN paper's constants, and so are the radii. How the trajectories of two bodies
# were split is our guess.
PUBLISHED = {
    "mass_spring": Published(3.0, 30, 25, 25, 0.1, {}, 25, 2_000, 1e-4, 3.6933e-2, 3.5928e-2),
    "pendulum": Published(3.0, 45, 25, 25, 0.1, {}, 25, 2_000, 1e-4, 3.2787e-2, 3.5586e-2),
    "two_body": Published(
        20.0, 50, 800, 200, 0.0, {"velocity_perturbation": 0.05}, 4, 10_000, 0.0, 2.9959e-6, 2.8218e-6
    ),
}  # fmt: skip


def _embedding(system: str, model: str, preset: str) -> Config:
    """As in App. A.3 of the HGN paper: Adam at 1e-3, batches of 64, around 15 000 steps."""
    return Config(
        preset=preset,
        model=model,
        state_size=_STATE_SIZES[system],
        data=DataConfig(name=system),
        training=TrainingConfig(num_steps=_PAPER_STEPS, batch_size=64, log_every=50, checkpoint_every=500),
    )


def _small(config: Config) -> Config:
    """The same on the small data set, for fewer steps; the convolutions as thin as those of HGN's `_small`."""
    config.preset += "_small"
    config.data.config = "small"
    config.training.num_steps, config.training.log_every = _SMALL_STEPS, 20
    config.evaluation.num_examples = 500
    config.encoder_filters, config.decoder_filters, config.block_activation = (
        (32, 48, 64, 64),
        (64, 32, 16),
        "leaky_relu",
    )
    return config


def _state(system: str) -> Config:
    return Config(
        preset=f"{system}_state",
        model="state",
        state_size=_STATE_SIZES[system],
        weight_decay=0.0,
        dt=0.125,
        data=DataConfig(name=system, config="small"),
        optimizer=OptimizerConfig(learning_rate=1e-3, schedule="cosine"),
        training=TrainingConfig(num_steps=5_000, batch_size=32, log_every=50, checkpoint_every=500),
        evaluation=EvaluationConfig(num_examples=500),
    )


def _noisy(system: str, published: Published) -> Config:
    """The protocol of Greydanus et al., but for their random numbers."""
    config = _state(system)
    config.preset += "_noisy"
    config.state_noise, config.weight_decay = published.noise, published.weight_decay
    config.dt = published.span / (published.num_points - 1)
    config.data = dataclasses.replace(
        config.data,
        num_steps=published.num_points - 1,
        num_train=published.num_train,
        num_test=published.num_test,
        fields=json.dumps({"dt": config.dt, **published.data}),
    )
    config.optimizer.schedule = "constant"
    config.training = dataclasses.replace(
        config.training, num_steps=published.num_steps, batch_size=published.batch_size
    )
    return config


def _presets() -> Iterator[Config]:
    for system in SYSTEMS:
        for suffix, model in (("", "pixel"), ("_conv", "convolutional")):
            yield _embedding(system, model, system + suffix)
            yield _small(_embedding(system, model, system + suffix))
        yield _state(system)
    for system, published in PUBLISHED.items():
        yield _noisy(system, published)


NOISY = {f"{system}_state_noisy": system for system in PUBLISHED}  # the presets whose losses can be compared
PRESETS = {config.preset: config for config in _presets()}


def get(name: str) -> Config:
    """Returns a fresh copy of the preset `name`; raises ValueError listing the names there are."""
    return preset_checks.pick(PRESETS, name)


def validate_fields(config: Config, num_devices: int = 1) -> None:
    """Raises ValueError in one line for what cannot be, as far as it can be told without the data set's builder.

    Args:
      config: the configuration.
      num_devices: that it will run on; 1 where it is not known yet.
    """
    hnn_config.validate(config)
    training_config.validate(config.optimizer, config.training, num_devices)
    if config.model != "state" and config.state_noise:
        raise ValueError(f"state_noise is for model=state only, got {config.state_noise} with model={config.model}")
    if config.model == "state" and config.data.name == "video_folder":
        raise ValueError("model=state needs the true states, which videos do not tell; see data.name")
    preset_checks.validate_clips(config.data, config.evaluation)


def validate(config: Config, num_devices: int) -> None:
    """Raises ValueError in one line that names what cannot be and what can, before anything slow starts."""
    validate_fields(config, num_devices)
    dataset = presets.dataset_config(config)
    if config.model == "state":
        if config.state_size != dataset.num_coordinates:
            raise ValueError(
                f"state_size must be {dataset.num_coordinates}, that of {config.data.name}; got {config.state_size}"
            )
        if abs(config.dt - dataset.dt) > 1e-6 * dataset.dt:
            raise ValueError(f"dt must be that of the data set, {dataset.dt:.10g}; got {config.dt:.10g}")
    elif dataset.num_steps < 2:
        raise ValueError(f"data.num_steps must be 2 or more to learn from, got {dataset.num_steps}")
    if dataset.num_trajectories():  # which videos do not tell before they are read
        presets.validate_size(config, dataset.num_trajectories())
