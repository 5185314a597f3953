"""The task `hnn`: a Hamiltonian Neural Network learns from frames or states.

JAX is imported inside the methods only.
"""

from typing import Any

from experiments.clips import config as clips_config
from experiments.clips.results import FrameResults
from experiments.hnn.presets import PRESETS, Config, validate
from experiments.hnn.results import StateResults
from experiments.tasks import Batches, Evaluation
from hgn_jax import memory
from hgn_jax.models import sizes


class HNNTask:
    """See `experiments.tasks.Task`."""

    name = "hnn"
    config_class = Config
    presets = PRESETS
    default_preset = "mass_spring_small"
    run_prefix = "runs/hnn_"  # because HGN has presets of the same names

    def validate(self, config: Config) -> None:
        validate(config)

    def resolve(self, config: Config) -> Config:
        config, dataset = clips_config.resolve(config)
        if config.model == "state":
            if config.state_size != dataset.num_coordinates:
                raise ValueError(
                    f"state_size must be {dataset.num_coordinates}, that of {config.data.name}; got {config.state_size}"
                )
            if abs(config.dt - dataset.dt) > 1e-6 * dataset.dt:
                raise ValueError(f"dt must be that of the data set, {dataset.dt:.10g}; got {config.dt:.10g}")
        elif dataset.num_steps < 2:
            raise ValueError(f"data.num_steps must be 2 or more to learn from, got {dataset.num_steps}")
        needs = sizes.hnn_needs(config, config.training.batch_size, dataset.num_steps + 1)
        memory.require(needs + clips_config.evaluation_needs(config, dataset), memory.total_memory())
        return config

    def open_data(self, config: Config) -> Any:
        from experiments.clips.data import open_clips

        return open_clips(config)

    def keep(self, directory: Any, data: Any) -> None:
        pass

    def batches(self, config: Config, data: Any) -> Batches:
        from experiments.hnn.data import batches

        return batches(config, data)

    def make_model(self, config: Config) -> Any:
        from hgn_jax.models.hnn import make_hnn

        return make_hnn(config)

    def results_class(self, config: Config) -> type[FrameResults | StateResults]:
        return StateResults if config.model == "state" else FrameResults

    def evaluate(self, run: Any) -> Evaluation:
        from experiments.hnn.evaluation import evaluate

        return evaluate(run)

    def report(self, run: Any, evaluation: Evaluation) -> None:
        from experiments.hnn.report import write

        write(run, evaluation)

    def print_summary(self, results: FrameResults | StateResults) -> None:
        from experiments.hnn.report import print_summary

        print_summary(results)


TASK = HNNTask()
