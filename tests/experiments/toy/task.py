"""The toy task: a line is fitted to noisy points by gradient descent. JAX is imported inside the methods only."""

import dataclasses
import time
from typing import Any, NamedTuple

import numpy as np

from experiments.run.results import Results
from experiments.tasks import Batches, Evaluation
from hgn_jax.config_checks import at_least, check_fields
from hgn_jax.training import geco_config, hosts, training_config
from hgn_jax.training.geco_config import GECOConfig
from hgn_jax.training.training_config import OptimizerConfig, TrainingConfig


@dataclasses.dataclass
class EvaluationConfig:
    """The final evaluation.

    Attributes:
      num_points: Number of points that the error is measured on.
    """

    num_points: int = at_least(100, 1)


@dataclasses.dataclass
class Config:
    """A run of the toy task.

    Attributes:
      preset: Name of the preset that the configuration was made from.
      degree: Degree of the polynomial that is fitted.
      largest_batch: Number of points that the data can give per step; None for the batch size.
    """

    program = "toy"

    preset: str = ""
    degree: int = at_least(1, 0)
    largest_batch: int | None = at_least(None, 1)
    optimizer: OptimizerConfig = dataclasses.field(default_factory=lambda: OptimizerConfig(learning_rate=1e-2))
    geco: GECOConfig = dataclasses.field(default_factory=lambda: GECOConfig(initial=1.0))
    training: TrainingConfig = dataclasses.field(
        default_factory=lambda: TrainingConfig(num_steps=12, batch_size=8, log_every=2, checkpoint_every=4)
    )
    evaluation: EvaluationConfig = dataclasses.field(default_factory=EvaluationConfig)


PRESETS = {"line": Config(preset="line"), "parabola": Config(preset="parabola", degree=2)}


@dataclasses.dataclass(kw_only=True)
class ToyResults(Results):
    """The numbers of a run.

    Attributes:
      mse: Mean squared error on points without noise.
      coefficients: Coefficients of the polynomial, from the constant.
    """

    mse: float
    coefficients: list[float]


class Polynomial(NamedTuple):
    """A polynomial of one variable, as a `hgn_jax.training.Model`."""

    degree: int

    def init(self, key: Any, batch: Any) -> Any:
        import jax

        return {"coefficients": jax.random.normal(key, (self.degree + 1,))}

    def loss(
        self, params: Any, multiplier: Any, key: Any, batch: Any, *, progress: Any = 1.0, slots: Any = None
    ) -> Any:
        import jax
        import jax.numpy as jnp

        noise = jax.vmap(lambda slot: jax.random.normal(jax.random.fold_in(key, slot)))(slots)
        values = jnp.polyval(params["coefficients"][::-1], batch["x"]) + 0.1 * (1.0 - progress) * noise
        mse = jnp.mean((values - batch["y"]) ** 2)
        return multiplier * mse, {"mse": mse, "constraint": mse - 0.1}


class Points(NamedTuple):
    """Points near the line y = 2 x - 1."""

    seed: int
    batch_size: int

    def batch_at(self, step: int) -> dict[str, np.ndarray]:
        """This process's share of the batch of a step."""
        x, noise = np.random.default_rng((self.seed, step)).standard_normal((2, self.batch_size)).astype(np.float32)
        share = hosts.local_slice(self.batch_size)
        return {"x": x[share], "y": (2.0 * x - 1.0 + np.float32(0.1) * noise)[share]}


class ToyTask:
    """See `experiments.tasks.Task`."""

    name = "toy"
    config_class = Config
    presets = PRESETS
    default_preset = "line"
    run_prefix = "runs/toy_"

    def validate(self, config: Config) -> None:
        check_fields(config)
        training_config.validate(config.optimizer, config.training)
        geco_config.validate(config.geco)

    def resolve(self, config: Config) -> Config:
        largest = config.largest_batch or config.training.batch_size
        if config.training.batch_size > largest:
            raise ValueError(
                f"training.batch_size is {config.training.batch_size}, but there are only {largest} points"
            )
        return dataclasses.replace(config, largest_batch=largest)

    def open_data(self, config: Config) -> Points:
        return Points(config.training.seed, config.training.batch_size)

    def keep(self, directory: Any, data: Points) -> None:
        pass

    def batches(self, config: Config, data: Points) -> Batches:
        return Batches(data.batch_at, data.batch_at(0), unit="point", units_per_example=1)

    def make_model(self, config: Config) -> Polynomial:
        return Polynomial(config.degree)

    def results_class(self, config: Config) -> type[ToyResults]:
        return ToyResults

    def evaluate(self, run: Any) -> Evaluation:
        from experiments.run.trainer import facts
        from hgn_jax.training.progress import progress_bar

        start, num_points = time.monotonic(), run.config.evaluation.num_points
        coefficients = np.asarray(run.state.params["coefficients"], np.float64)
        x = np.linspace(-1.0, 1.0, num_points)
        with progress_bar(num_points, "evaluating", "point") as bar:
            bar.update(num_points)
        mse = np.mean((np.polyval(coefficients[::-1], x) - (2.0 * x - 1.0)) ** 2)
        return Evaluation(ToyResults(mse=float(mse), coefficients=coefficients.tolist(), run=facts(run, start)))

    def report(self, run: Any, evaluation: Evaluation) -> None:
        from experiments.reporting.page import write_page
        from experiments.reporting.tables import Table
        from experiments.run.provenance import provenance

        run.directory.report.mkdir(exist_ok=True)
        table = Table("Errors", [("mean squared error", f"{evaluation.results.mse:.3g}")])
        origin = provenance(run.directory, evaluation.results.run)
        write_page(run.directory.report, "A polynomial", ["It was fitted."], [table], [], origin)

    def print_summary(self, results: ToyResults) -> None:
        print(f"mean squared error {results.mse:.3g}")


TASK = ToyTask()
