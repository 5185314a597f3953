"""The configurations of `experiments.nhf`, and what makes one valid.

`<target>` learns in a minute and a half on one CPU core, `<target>_plus` in six, and `<target>_paper` is the paper's
own setting. (No `from __future__ import annotations` here: the overrides read the types of the fields.)
"""

import dataclasses

from experiments.run import preset_checks
from hgn_jax.data import tables
from hgn_jax.models import nhf_config
from hgn_jax.models.nhf_config import NHFConfig
from hgn_jax.training import geco_config, training_config
from hgn_jax.training.geco_config import GECOConfig
from hgn_jax.training.training_config import OptimizerConfig, TrainingConfig

# Those of `hgn_jax.models.densities.TARGETS`, which imports JAX; nothing here may, before a configuration is checked.
TARGETS = (
    "two_modes",
    "four_modes",
    "nine_modes",
    "ring_of_eight",
    "grid_of_25",
    "two_moons",
    "rings",
    "pinwheel",
    "checkerboard",
)


@dataclasses.dataclass
class PointsConfig:
    """What is learned: a density that is known, drawn afresh for every step, or the rows of a table.

    Attributes:
      name: a target (`hgn_jax.models.densities.TARGETS`), an example table (`hgn_jax.data.tables.EXAMPLES`), or `file`.
      path: of a `.npy` or `.csv` table, for `file`.
      test_fraction: part of a table's rows kept for testing.
      split_seed: of the choice of these rows.
    """

    name: str = "four_modes"
    path: str = ""
    test_fraction: float = 0.2
    split_seed: int = 0


@dataclasses.dataclass
class EvaluationConfig:
    """The final evaluation.

    Attributes:
      num_points: fresh points of a target that the divergence is measured on; of a table all test rows are.
      num_samples: momenta per point, the largest K of the importance-weighted likelihood; a power of two.
      seed: of the points and momenta.
    """

    num_points: int = 2000
    num_samples: int = 1024
    seed: int = 1_000_000


@dataclasses.dataclass
class Config(NHFConfig):
    """An experiment: the fields of the model, and beside them the parts that follow.

    Attributes:
      preset: the name it was made under.
      data: what is learned.
      optimizer: Adam and its schedule.
      geco: the multiplier's settings, where `objective` is `geco`.
      training: length and rhythm.
      evaluation: the final evaluation.
    """

    program = "nhf"  # of every such configuration, no field

    preset: str = ""
    data: PointsConfig = dataclasses.field(default_factory=PointsConfig)
    optimizer: OptimizerConfig = dataclasses.field(default_factory=OptimizerConfig)
    geco: GECOConfig = dataclasses.field(default_factory=lambda: GECOConfig(initial=1.0))
    training: TrainingConfig = dataclasses.field(default_factory=TrainingConfig)
    evaluation: EvaluationConfig = dataclasses.field(default_factory=EvaluationConfig)


def _paper(target: str) -> Config:
    return Config(
        preset=f"{target}_paper",
        data=PointsConfig(name=target),
        optimizer=OptimizerConfig(learning_rate=3e-4),
        training=TrainingConfig(num_steps=10_000, batch_size=512, log_every=50, checkpoint_every=1000),
    )


def _fast(target: str) -> Config:
    """A Hamiltonian for each link, a prior that fits itself to the data, steeper forces, and a tighter bound."""
    return Config(
        preset=target,
        num_links=4,
        links="merged",
        hidden_sizes=(64, 64),
        energy_output_gain=0.1,
        input_scale=3.0,
        prior="normal",
        prior_scale=1.0,
        learned_prior_scale=True,
        objective_samples=4,
        data=PointsConfig(name=target),
        optimizer=OptimizerConfig(learning_rate=5e-3, schedule="cosine", warmup_fraction=0.02, gradient_clip=1.0),
        training=TrainingConfig(num_steps=10_000, batch_size=128, log_every=50, checkpoint_every=1000),
    )


def _plus(target: str) -> Config:
    """The same with more links and more steps on larger batches."""
    config = _fast(target)
    config.preset, config.num_links = f"{target}_plus", 6
    config.training.batch_size = 256
    return config


_TABLE_STEPS = {"iris": 750, "wine": 900, "breast_cancer": 2850, "diabetes": 2200, "file": 3000}  # 200 epochs


def _table(name: str) -> Config:
    """Few rows, soon learned by heart; and energies that do not start small, or the flow stays the identity."""
    config = _fast(name)
    config.input_scale, config.energy_output_gain, config.num_links = 1.0, 1.0, 2
    config.training.batch_size, config.training.num_steps = 32, _TABLE_STEPS[name]
    return config


_CONFIGS = (
    *(make(target) for target in TARGETS for make in (_fast, _plus, _paper)),
    *map(_table, _TABLE_STEPS),
)
PRESETS = {config.preset: config for config in _CONFIGS}


def get(name: str) -> Config:
    """Returns a fresh copy of the preset `name`; raises ValueError listing the names there are."""
    return preset_checks.pick(PRESETS, name)


def validate(config: Config, num_devices: int = 1) -> None:
    """Raises ValueError in one line that names what cannot be and what can, before anything slow starts.

    Args:
      config: the configuration.
      num_devices: that it will run on; 1 where it is not known yet.
    """
    nhf_config.validate(config)
    training_config.validate(config.optimizer, config.training, num_devices)
    geco_config.validate(config.geco)
    names = (*TARGETS, *tables.EXAMPLES, "file")
    if config.data.name not in names:
        raise ValueError(f"data.name must be one of {', '.join(names)}; got {config.data.name!r}")
    if config.data.name == "file" and not config.data.path:
        raise ValueError("data.path must name a .npy or .csv table: --config.data.path=rows.csv")
    if config.data.name != "file" and config.data.path:
        raise ValueError(f"data.path is for --config=file only; data.name is {config.data.name!r}")
    if config.data.split_seed < 0:
        raise ValueError(f"data.split_seed must be 0 or more, got {config.data.split_seed}")
    evaluation = config.evaluation
    if evaluation.num_points < 2:
        raise ValueError(f"evaluation.num_points must be 2 or more, got {evaluation.num_points}")
    if evaluation.num_samples < 1 or evaluation.num_samples & (evaluation.num_samples - 1):
        raise ValueError(f"evaluation.num_samples must be a power of two, 1 or more, got {evaluation.num_samples}")
    if evaluation.seed < 0:
        raise ValueError(f"evaluation.seed must be 0 or more, got {evaluation.seed}")
