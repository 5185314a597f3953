"""The task `nhf`: a Neural Hamiltonian Flow learns a density. JAX is imported inside the methods only."""

from typing import Any

from experiments.nhf import presets
from experiments.nhf.presets import PRESETS, Config, validate
from experiments.nhf.results import FlowResults
from experiments.tasks import Batches, Evaluation
from hgn_jax import memory
from hgn_jax.models import sizes


class NHFTask:
    """See `experiments.tasks.Task`."""

    name = "nhf"
    config_class = Config
    presets = PRESETS
    default_preset = "four_modes"
    run_prefix = "runs/"

    def validate(self, config: Config) -> None:
        validate(config)

    def resolve(self, config: Config) -> Config:
        from experiments.nhf.data import resolve

        needs = sizes.nhf_needs(config, config.training.batch_size)
        memory.require([*needs, presets.evaluation_need(config)], memory.total_memory())
        return resolve(config)

    def open_data(self, config: Config) -> Any:
        from experiments.nhf.data import load_points

        return load_points(config)

    def keep(self, directory: Any, data: Any) -> None:
        from experiments.nhf.data import keep

        keep(directory, data)

    def batches(self, config: Config, data: Any) -> Batches:
        return Batches(data.batch_at, data.batch_at(0), unit="point", units_per_example=1)

    def make_model(self, config: Config) -> Any:
        from hgn_jax.models.nhf import make_nhf

        return make_nhf(config)

    def results_class(self, config: Config) -> type[FlowResults]:
        return FlowResults

    def evaluate(self, run: Any) -> Evaluation:
        from experiments.nhf.evaluation import evaluate

        return evaluate(run)

    def report(self, run: Any, evaluation: Evaluation) -> None:
        from experiments.nhf.report import write

        write(run, evaluation)

    def print_summary(self, results: FlowResults) -> None:
        from experiments.nhf.report import print_summary

        print_summary(results)


TASK = NHFTask()
