"""The configurations of HNN.

`<system>` is PixelHNN and `<system>_conv` is HNN (conv), as the HGN paper trained them; with `_small` they use the
small data set and fewer steps, minutes on two CPU cores. `<system>_state` learns from true states, also in minutes, and
`<system>_state_noisy` follows the protocol of Greydanus et al. (2019). No JAX is imported here, and no
`from __future__ import annotations` may stand here: the overrides read the types of the fields.
"""

import dataclasses
import json
from collections.abc import Iterator

from experiments.clips import config as clips_config
from experiments.clips.config import SYSTEMS, DataConfig, EvaluationConfig
from experiments.run import presets
from hgn_jax.config_checks import at_least
from hgn_jax.models import hnn_config
from hgn_jax.models.hnn_config import HNNConfig
from hgn_jax.training import training_config
from hgn_jax.training.geco_config import GECOConfig
from hgn_jax.training.training_config import OptimizerConfig, TrainingConfig


@dataclasses.dataclass
class Config(HNNConfig):
    """A run of HNN: the fields of the model, and the parts that follow.

    Attributes:
      preset: Name of the preset that the configuration was made from.
      state_noise: Standard deviation of the Gaussian noise on the true states, drawn once for each state, for the model
        `state`. The derivatives to be fitted have no noise.
      data: The data set.
      optimizer: Adam and its schedule.
      training: Length and rhythm of the training. A batch of the model `state` holds as many states as `batch_size`
        trajectories have, drawn from all trajectories.
      evaluation: The final evaluation.
    """

    program = "hnn"  # name of the task; not a field
    geco = GECOConfig(initial=1.0)  # there is no constraint to enforce; not a field either

    preset: str = ""
    state_noise: float = at_least(0.0, 0)
    data: DataConfig = dataclasses.field(default_factory=DataConfig)
    optimizer: OptimizerConfig = dataclasses.field(default_factory=lambda: OptimizerConfig(learning_rate=1e-3))
    training: TrainingConfig = dataclasses.field(default_factory=TrainingConfig)
    evaluation: EvaluationConfig = dataclasses.field(default_factory=EvaluationConfig)


_PAPER_STEPS, _SMALL_STEPS = 15_000, 3_000


@dataclasses.dataclass(frozen=True)
class Published:
    """A training of Greydanus et al. (2019), with the losses that the README of their code reports.

    Attributes:
      span: Length of a trajectory in time.
      num_points: Number of points of a trajectory, both ends included.
      num_train: Number of training trajectories.
      num_test: Number of test trajectories.
      noise: Standard deviation of the noise on the states.
      data: Fields of our builder whose values differ from those of the HGN paper.
      batch_size: Number of trajectories in a batch; theirs of the two bodies holds 200 states.
      num_steps: Number of steps of Adam with learning rate 1e-3.
      weight_decay: Weight decay of all parameters.
      train_loss: Published training loss, an error of the vector field as we measure it.
      test_loss: Published test loss.
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


# Their Hamiltonians and radii are ours with the HGN paper's constants. The split of the trajectories of two bodies is
# our guess.
PUBLISHED = {
    "mass_spring": Published(3.0, 30, 25, 25, 0.1, {}, 25, 2_000, 1e-4, 3.6933e-2, 3.5928e-2),
    "pendulum": Published(3.0, 45, 25, 25, 0.1, {}, 25, 2_000, 1e-4, 3.2787e-2, 3.5586e-2),
    "two_body": Published(
        20.0, 50, 800, 200, 0.0, {"velocity_perturbation": 0.05}, 4, 10_000, 0.0, 2.9959e-6, 2.8218e-6
    ),
}  # fmt: skip


def _embedding(system: str, model: str, preset: str) -> Config:
    """Returns the setting of App. A.3 of the HGN paper: Adam at 1e-3, batches of 64, around 15 000 steps."""
    return Config(
        preset=preset,
        model=model,
        state_size=SYSTEMS[system],
        data=DataConfig(name=system),
        training=TrainingConfig(num_steps=_PAPER_STEPS, batch_size=64, log_every=50, checkpoint_every=500),
    )


def _small(config: Config) -> Config:
    """Changes a configuration to the small data set, fewer steps, and the convolutions of HGN's `_small`."""
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
        state_size=SYSTEMS[system],
        weight_decay=0.0,
        dt=0.125,
        data=DataConfig(name=system, config="small"),
        optimizer=OptimizerConfig(learning_rate=1e-3, schedule="cosine"),
        training=TrainingConfig(num_steps=5_000, batch_size=32, log_every=50, checkpoint_every=500),
        evaluation=EvaluationConfig(num_examples=500),
    )


def _noisy(system: str, published: Published) -> Config:
    """Returns the protocol of Greydanus et al., except for their random numbers."""
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


PUBLISHED_PRESETS = {f"{system}_state_noisy": published for system, published in PUBLISHED.items()}
PRESETS = {config.preset: config for config in _presets()}


def get(name: str) -> Config:
    """Returns a fresh copy of the preset `name`; raises ValueError listing the names there are."""
    return presets.pick(PRESETS, name)


def validate(config: Config) -> None:
    """Raises ValueError in one line for a configuration that cannot be run whatever the data are."""
    hnn_config.validate(config)
    training_config.validate(config.optimizer, config.training)
    clips_config.validate(config.data, config.evaluation)
    if config.model != "state" and config.state_noise:
        raise ValueError(f"state_noise is for model=state only, got {config.state_noise} with model={config.model}")
    if config.model == "state" and config.data.name == "video_folder":
        raise ValueError("model=state needs the true states, which videos do not tell; see data.name")
