"""The configurations of NHF.

`<target>` learns in a minute and a half on one CPU core, `<target>_plus` in six, and `<target>_paper` is the paper's
own setting. No JAX is imported here, and no `from __future__ import annotations` may stand here: the overrides read the
types of the fields.
"""

import dataclasses

from experiments.run import presets
from hgn_jax.config_checks import any_seed, at_least, checked, choice, path, within
from hgn_jax.data import tables
from hgn_jax.memory import Need
from hgn_jax.models import nhf_config
from hgn_jax.models.nhf_config import NHFConfig
from hgn_jax.training import geco_config, training_config
from hgn_jax.training.geco_config import GECOConfig
from hgn_jax.training.training_config import OptimizerConfig, TrainingConfig

# The names in `hgn_jax.models.densities.TARGETS`, whose module imports JAX.
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
    """The points to learn: drawn afresh from a known density for every step, or the rows of a table.

    Attributes:
      name: A target (`hgn_jax.models.densities.TARGETS`), an example table (`hgn_jax.data.tables.EXAMPLES`), or `file`.
      path: Path of the table, for `file`: text such as `.csv`, or `.npy`. A run keeps it absolute.
      fingerprint: Fingerprint of the table, filled in when a run starts and compared when it goes on.
      columns: Names of the columns to take, separated by commas; empty for all that hold varying numbers.
      leave_out: Names of columns to leave out, separated by commas.
      header: Whether the first line of text names the columns: `yes`, `no`, or `auto`.
      decimal: Decimal mark of text, `.` or `,`; or `auto`.
      test_fraction: Fraction of a table's rows kept for testing.
      split_seed: Seed of the choice of these rows.
    """

    name: str = choice("four_modes", (*TARGETS, *tables.EXAMPLES, "file"))
    path: str = path("")
    fingerprint: str | None = None
    columns: str = ""
    leave_out: str = ""
    header: str = choice("auto", tables.HEADERS)
    decimal: str = choice("auto", tables.DECIMALS)
    test_fraction: float = within(0.2, "(0, 1)")
    split_seed: int = any_seed(0)


@dataclasses.dataclass
class EvaluationConfig:
    """The final evaluation.

    Attributes:
      num_points: Number of fresh points of a target that the divergence is measured on; of a table all test rows are.
      num_samples: Number of momenta per point, the largest K of the importance-weighted likelihood; a power of two.
      seed: Seed of the points and momenta.
    """

    num_points: int = at_least(2000, 2)
    num_samples: int = checked(1024, "a power of two", lambda value: value >= 1 and not value & (value - 1))
    seed: int = any_seed(1_000_000)


@dataclasses.dataclass
class Config(NHFConfig):
    """A run of NHF: the fields of the model, and the parts that follow.

    Attributes:
      preset: Name of the preset that the configuration was made from.
      data: The points to learn.
      optimizer: Adam and its schedule.
      geco: Settings of GECO's multiplier, where `objective` is `geco`.
      training: Length and rhythm of the training.
      evaluation: The final evaluation.
    """

    program = "nhf"  # name of the task; not a field

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
    """Returns a flow with a Hamiltonian per link, a learned prior scale, steeper forces, and a tighter bound."""
    return Config(
        preset=target,
        data=PointsConfig(name=target),
        optimizer=OptimizerConfig(learning_rate=5e-3, schedule="cosine", warmup_fraction=0.02, gradient_clip=1.0),
        training=TrainingConfig(num_steps=10_000, batch_size=128, log_every=50, checkpoint_every=1000),
        **nhf_config.FAST_FIELDS,
    )


def _plus(target: str) -> Config:
    """Returns the same flow with more links, trained on larger batches."""
    config = _fast(target)
    config.preset, config.num_links = f"{target}_plus", 6
    config.training.batch_size = 256
    return config


_TABLE_STEPS = {"iris": 750, "wine": 900, "breast_cancer": 2850, "diabetes": 2200, "file": 3000}  # 200 epochs


def _table(name: str) -> Config:
    """Returns a flow for a table: few steps, because few rows are soon memorised.

    The energies do not start small: on tables, a flow that starts near the identity stays there.
    """
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
    return presets.pick(PRESETS, name)


_BYTES_PER_POINT, _BYTES_PER_MOMENTUM = 256, 16  # with the intermediate results of their log densities


def evaluation_need(config: Config) -> Need:
    """Estimates the memory that the final evaluation holds at once."""
    evaluation = config.evaluation
    fields = {"evaluation.num_samples": evaluation.num_samples}
    num_points = 2  # of a table it is not known yet
    if config.data.name in TARGETS:
        num_points = fields["evaluation.num_points"] = evaluation.num_points
    num_bytes = num_points * (_BYTES_PER_POINT + _BYTES_PER_MOMENTUM * evaluation.num_samples)
    return Need("the evaluation", num_bytes, fields)


def validate(config: Config) -> None:
    """Raises ValueError in one line for a configuration that cannot be run."""
    nhf_config.validate(config)
    training_config.validate(config.optimizer, config.training)
    geco_config.validate(config.geco)
    if config.data.name == "file" and not config.data.path:
        raise ValueError(f"data.path must name a table ({', '.join(tables.SUFFIXES)}): --config.data.path=rows.csv")
    if config.data.name != "file":
        _require_defaults(config.data, ("path", "header", "decimal"), "--config=file")
    if config.data.name in TARGETS:
        _require_defaults(config.data, ("columns", "leave_out"), "tables")


def _require_defaults(data: PointsConfig, names: tuple[str, ...], owner: str) -> None:
    default = PointsConfig()
    if wrong := [f"data.{name}" for name in names if getattr(data, name) != getattr(default, name)]:
        raise ValueError(f"{', '.join(wrong)} is for {owner} only; data.name is {data.name!r}")
