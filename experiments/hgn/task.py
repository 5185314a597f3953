"""The task `hgn`: a Hamiltonian Generative Network learns from clips. JAX is imported inside the methods only."""

from typing import Any

from experiments.clips import config as clips_config
from experiments.clips.results import FrameResults
from experiments.hgn.presets import PRESETS, Config, validate
from experiments.tasks import Batches, Evaluation
from hgn_jax import memory
from hgn_jax.models import hgn_config, sizes


class HGNTask:
    """See `experiments.tasks.Task`."""

    name = "hgn"
    config_class = Config
    presets = PRESETS
    default_preset = "mass_spring_small"
    run_prefix = "runs/"

    def validate(self, config: Config) -> None:
        validate(config)

    def resolve(self, config: Config) -> Config:
        config, dataset = clips_config.resolve(config)
        hgn_config.validate_frames(config, dataset.num_steps + 1)
        needs = sizes.hgn_needs(config, config.training.batch_size, dataset.num_steps + 1)
        memory.require(needs + clips_config.evaluation_needs(config, dataset), memory.total_memory())
        return config

    def open_data(self, config: Config) -> Any:
        from experiments.clips.data import open_clips

        return open_clips(config)

    def keep(self, directory: Any, data: Any) -> None:
        pass

    def batches(self, config: Config, data: Any) -> Batches:
        from experiments.hgn.data import batches

        return batches(config, data)

    def make_model(self, config: Config) -> Any:
        from hgn_jax.models.hgn import make_hgn

        return make_hgn(config)

    def results_class(self, config: Config) -> type[FrameResults]:
        return FrameResults

    def evaluate(self, run: Any) -> Evaluation:
        from experiments.hgn.evaluation import evaluate

        return evaluate(run)

    def report(self, run: Any, evaluation: Evaluation) -> None:
        from experiments.hgn.report import write

        write(run, evaluation)

    def print_summary(self, results: FrameResults) -> None:
        from experiments.hgn.report import print_summary

        print_summary(results)


TASK = HGNTask()
