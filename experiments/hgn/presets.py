"""The configurations of HGN.

`<system>` is the paper's scale, `<system>_small` fits two CPU cores, `<system>_plus_plus` and its `_small` are HGN++,
`<system>_anchored` and its `_noise_free` are the anchored HGN, which goes on being right beyond the clip, and `video`
is for your own videos. No JAX is imported here, and no `from __future__ import annotations` may stand here: the
overrides `--config.field=value` read the types of the fields.
"""

import dataclasses
from collections.abc import Iterator
from typing import Any

from experiments.clips import config as clips_config
from experiments.clips.config import SYSTEMS, DataConfig, EvaluationConfig
from experiments.run import presets
from hgn_jax.config_checks import choice
from hgn_jax.models import hgn_config
from hgn_jax.training import geco_config, training_config
from hgn_jax.training.geco_config import GECOConfig
from hgn_jax.training.training_config import OptimizerConfig, TrainingConfig


@dataclasses.dataclass
class Config(hgn_config.HGNConfig):
    """A run of HGN: the fields of the model, and the parts that follow.

    Attributes:
      preset: Name of the preset that the configuration was made from.
      state_density: Distribution of the states that new trajectories begin with: `prior`, N(0, I) of z; or, for a
        small state, a `mixture` of Gaussians, or a `flow`, a Neural Hamiltonian Flow, fitted to the states of the
        training clips at random times when the training ends.
      data: The data set.
      optimizer: Adam and its schedule.
      geco: Settings of GECO's multiplier, where `objective` is `geco`.
      training: Length and rhythm of the training.
      evaluation: The final evaluation.
    """

    program = "hgn"  # name of the task; not a field

    preset: str = ""
    state_density: str = choice("prior", ("prior", "mixture", "flow"))
    data: DataConfig = dataclasses.field(default_factory=DataConfig)
    optimizer: OptimizerConfig = dataclasses.field(default_factory=OptimizerConfig)
    geco: GECOConfig = dataclasses.field(default_factory=GECOConfig)
    training: TrainingConfig = dataclasses.field(default_factory=TrainingConfig)
    evaluation: EvaluationConfig = dataclasses.field(default_factory=EvaluationConfig)


_SMALL_STEPS = {"mass_spring": 1650}
_OTHER_SMALL_STEPS = 5000


def _paper(system: str) -> Config:
    return Config(preset=system, data=DataConfig(name=system))


def _small(preset: str, data: DataConfig) -> Config:
    """Returns a configuration that takes minutes where the paper's takes days.

    The networks are thinner, the learning rate is higher and decays, and the loss decodes six random frames from a
    horizon that grows. The horizon matters most: with all 31 frames from the start, nothing is learned for many hundred
    steps.
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
    """Returns HGN++, later improvements by the same group (Botev et al. 2021, arXiv 2111.05458, and its code).

    Their objective is beta * KL plus the squared error summed over pixels, colours and frames. Ours weighs that sum
    over 31 frames by 1 / 62, so this beta corresponds to about 0.1 in theirs; they tried 0.001, 0.1, 1 and 2. They
    trained on 65 frames, and their code counts the layer that yields the energy among the five. The encoder and the
    decoder are those of HGN.
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


_FITTED_TO_POINTS = {"refinement_steps": 8, "refinement_target": "points"}
_FITTED_IN_TRAINING = {"window_degree": 4, "training_refinement_steps": 2} | _FITTED_TO_POINTS

_KEYPOINTS = {
    "latent": "keypoints",
    "background": "colour",
    "encoder_filters": (8, 8),
    "painter": "discs",
    "sharpen_points": True,
    "frame_weight": 1.0,
    "kinetic": "quadratic",
    "hamiltonian_network": "mlp",
    "hamiltonian_filters": (64, 64),
}


def _bodies(number: int) -> dict[str, Any]:
    return {
        "num_keypoints": number,
        "state_channels": 2 * number,
        "hamiltonian_network": "pairwise",
        "substeps": 4,
    } | _FITTED_IN_TRAINING


# System -> number of training steps without and with noise, and the fields that say what kind of system it is.
_ANCHORED: dict[str, tuple[int, int, dict[str, Any]]] = {
    "mass_spring": (1000, 2000, {"num_keypoints": 1, "chart": "network", "state_channels": 1, "confinement": 0.1}),
    "pendulum": (1000, 2000, {"num_keypoints": 1, "chart": "rods", "state_channels": 1}),
    "two_body": (5000, 3000, _bodies(2)),
    "three_body": (4000, 3000, _bodies(3)),
    "double_pendulum": (
        4000,
        2000,
        {
            "num_keypoints": 2,
            "chart": "rods",
            "state_channels": 2,
            "hamiltonian": "joint",
            "kinetic": "rods",
            "integrator": "rk4",
            "substeps": 3,
        }
        | _FITTED_IN_TRAINING,
    ),
}

# Where places are noisy, states are fitted to the points of all frames. Without noise, the encoder reads one coordinate
# from five frames as well as such a fit, but not the two to six of other systems.
_NOISY_READING = {
    "inference_frames": 15,
    "seen_frames": 31,
    "position_noise": 0.1,
    "training_refinement_steps": 4,
    "fit_weight": 1.0,
} | _FITTED_TO_POINTS


# A film may show anything, so its state is a vector, and the decoder paints the difference from the mean image. All
# frames of a window are seen.
_FILM: dict[str, Any] = {
    "latent": "vector",
    "state_channels": 1,
    "inference_frames": 5,
    "seen_frames": 31,
    "refinement_steps": 4,
    "time_reversal": True,
    "background": "image",
    "encoder_filters": (32, 48, 64, 64),
    "lift_sizes": (64, 16),
    "decoder_filters": (64, 32, 16),
    "block_activation": "leaky_relu",
    "kinetic": "quadratic",
    "hamiltonian_network": "mlp",
    "hamiltonian_filters": (128, 128),
    "hamiltonian_activation": "swish",
    "confinement": 0.1,
}


def _anchored(
    preset: str, data: DataConfig, num_steps: int, learning_rate: float, num_examples: int = 500, **fields: Any
) -> Config:
    """Returns the anchored HGN: a state as small as the system's, inferred from a window at a random place.

    The state is rolled out both ways, so that it cannot know when the clip began.
    """
    return Config(
        preset=preset,
        rollout_directions="outward",
        use_transform=False,
        hamiltonian_output_gain=1.0,
        unroll=5,
        objective="relative",
        beta=1.7e-4,
        loss_frames=6,
        initial_horizon=6,
        horizon_growth=0.4,
        state_density="mixture",
        data=data,
        optimizer=OptimizerConfig(
            learning_rate=learning_rate, schedule="cosine", warmup_fraction=0.05, gradient_clip=8.0
        ),
        training=TrainingConfig(num_steps=num_steps, log_every=20, checkpoint_every=200),
        evaluation=EvaluationConfig(num_examples=num_examples),
        **fields,
    )


def _anchored_system(system: str, noisy: bool) -> Config:
    noise_free_steps, noisy_steps, fields = _ANCHORED[system]
    suffix, num_steps, reading = "_noise_free", noise_free_steps, {"inference_frames": 5}
    if noisy:
        suffix, num_steps, reading = "", noisy_steps, _NOISY_READING
    data = DataConfig(name=system, config=f"small{suffix}")
    return _anchored(f"{system}_anchored{suffix}", data, num_steps, 4e-3, **(_KEYPOINTS | fields | reading))


def _presets() -> Iterator[Config]:
    for system in SYSTEMS:
        small = DataConfig(name=system, config="small")
        yield _paper(system)
        yield _small(f"{system}_small", small)
        yield _plus_plus(_paper(system), f"{system}_plus_plus")
        yield _plus_plus(_small("", small), f"{system}_plus_plus_small")
    for system in _ANCHORED:
        yield _anchored_system(system, noisy=True)
        yield _anchored_system(system, noisy=False)
    videos = DataConfig(name="video_folder", config="default")
    yield _anchored("video", videos, 1500, 3e-3, num_examples=100, **_FILM)  # fitting each to its pixels is slow


PRESETS = {config.preset: config for config in _presets()}


def get(name: str) -> Config:
    """Returns a fresh copy of the preset `name`; raises ValueError listing the names there are."""
    return presets.pick(PRESETS, name)


def validate(config: Config) -> None:
    """Raises ValueError in one line for a configuration that cannot be run whatever the data are."""
    hgn_config.validate(config)
    training_config.validate(config.optimizer, config.training)
    geco_config.validate(config.geco)
    clips_config.validate(config.data, config.evaluation)
    if config.state_density != "prior" and config.latent == "spatial":
        raise ValueError(f"state_density={config.state_density} needs latent=vector or keypoints; got spatial")
    if config.rollout_directions == "both" and config.training.batch_size < 2:
        raise ValueError(
            f"rollout_directions=both needs training.batch_size of 2 or more, got {config.training.batch_size}"
        )
