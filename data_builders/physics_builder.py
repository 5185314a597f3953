"""Base class of the builders of simulated data sets.

A builder folder defines a subclass of `PhysicsConfig`, whose defaults are the paper's settings of the system, and a
`Builder` whose `BUILDER_CONFIGS` are its `standard_configs`.
"""

import contextlib
import dataclasses
import functools
import math
import pathlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import tensorflow_datasets as tfds

from data_builders.errors import DatasetError
from data_builders.simulation import workers
from data_builders.simulation.physics_config import PhysicsConfig, standard_configs
from data_builders.simulation.split_statistics import SplitStatistics
from data_builders.tfds_backend import records, shards
from data_builders.tfds_backend.base_builder import BaseBuilder, Metadata, read_metadata, replaces
from hgn_jax.training.progress import progress_bar

__all__ = ["PhysicsBuilder", "PhysicsConfig", "read_metadata", "standard_configs"]

Make = Callable[[records.Task], records.Records]


class PhysicsBuilder(BaseBuilder, skip_registration=True):
    """Base class of the builders.

    An example is one trajectory of T + 1 frames: `image` uint8 `[T + 1, H, W, 3]`, drawn with observation noise;
    noise-free `q`, `p`, `dq_dt`, `dp_dt` float32 `[T + 1, d]` and `energy` `[T + 1]`; the `constants`, scalars except
    for drawn masses of bodies, `[n]`; and the `index` of the trajectory in its split. If trajectories differ in
    their looks, an example also holds the `colours`, `offset` and `rod_lengths` of its `rendering.Look`.

    The metadata of a built data set hold every field of its `PhysicsConfig`; the `canvas` (see
    `rendering.canvas_from_metadata`); `varies_scene`, whether looks differ (see `rendering.expected_images`); and for
    each split, under `splits`, its `num_trajectories` and

    - `noise_floor_mse`: error of the expected image given the true state, `rendering.expected_images`; no predictor
      that does not know the noise can have a smaller one;
    - `mean_image_mse`: error of the split's mean image; no constant image can have a smaller one;
    - `clipped_fraction` and `clipped_fraction_noise_free`: fraction of frames in which a disc lies partly outside the
      canvas;
    - `max_relative_energy_error`: largest energy error of the simulation over all trajectories; with damping, of the
      sum of the energy and the energy lost to friction;
    - `num_redrawn_starts`: number of starts that were drawn again because bodies came too close.

    Errors are mean squares over pixels and frames, with pixels scaled to [0, 1].
    """

    def _create_builder_config(self, builder_config, version):
        config = super()._create_builder_config(builder_config, version)
        if config.system != self.BUILDER_CONFIGS[0].system:
            raise ValueError(f"the builder {self.name} cannot build a configuration of {config.system}")
        return config

    @classmethod
    def derive_config(cls, base: str | PhysicsConfig, **overrides: Any) -> PhysicsConfig:
        """As `BaseBuilder.derive_config`; `constants` and `constant_ranges` may hold only the entries that change."""
        base = cls.named_config(base) if isinstance(base, str) else base
        for field in ("constants", "constant_ranges"):
            if isinstance(overrides.get(field), Mapping):
                overrides[field] = {**getattr(base, field), **overrides[field]}
        return super().derive_config(base, **overrides)

    def download_and_prepare(self, **kwargs: Any) -> None:
        """As TFDS's method; raises DatasetError instead of accepting a data set with only some of its examples."""
        config = kwargs.get("download_config")
        whole = config is None or config.max_examples_per_split is None
        if whole and pathlib.Path(self.data_dir).exists() and not replaces(config):
            for split, expected in self.builder_config.num_trajectories().items():
                num_examples = self.info.splits[split].num_examples if split in self.info.splits else 0
                if num_examples != expected:
                    raise DatasetError(
                        f"data set {self.data_dir}: is incomplete: {num_examples} of {expected} {split} trajectories; "
                        f"to repair: rm -r {self.data_dir}, then run the same again"
                    )
        super().download_and_prepare(**kwargs)

    def _info(self) -> tfds.core.DatasetInfo:
        return self.dataset_info_from_configs(
            features=records.make_features(self.builder_config),
            homepage="https://arxiv.org/abs/1909.13789",
            metadata=Metadata(),
        )

    def _split_generators(self, dl_manager) -> dict[str, list[records.Task]]:
        """Returns the chunks of each split."""
        del dl_manager
        return {split: records.tasks(split, n) for split, n in self.builder_config.num_trajectories().items()}

    def _generate_examples(self, task: records.Task) -> records.Records:
        """Returns the serialised examples of a chunk."""
        return self._make(task)

    @property
    def _make(self) -> Make:
        config = self.builder_config
        # Not the builder's own class of configuration, which workers cannot import if TFDS loaded it from a path.
        return functools.partial(records.make_records, PhysicsConfig(name=config.name, **config.values()))

    def _generate_splits(self, dl_manager, download_config) -> Sequence[Any]:
        """Replaces TFDS's method, which uses one process and an order of features that differs between runs."""
        config, limit = self.builder_config, download_config.max_examples_per_split
        # TFDS writes the metadata after the splits, so that their statistics can still be added.
        self.info.metadata.clear()
        self.info.metadata.update(
            config.values(), canvas=dataclasses.asdict(config.canvas), varies_scene=config.varies_scene, splits={}
        )
        tasks = self._split_generators(dl_manager)
        if limit is not None:
            tasks = {split: records.tasks(split, min(limit, _count(part))) for split, part in tasks.items()}
        with_beam = download_config.beam_runner or download_config.beam_options
        return (self._generate_with_beam if with_beam else self._generate_here)(tasks, download_config)

    def _generate_here(self, tasks, download_config) -> Sequence[Any]:
        """Makes the records in processes of this machine, and writes them in this one."""
        all_tasks = [task for part in tasks.values() for task in part]
        # A process takes seconds to start and compile, as long as one or two chunks take.
        num_workers = min(workers.default_num_workers(), len(all_tasks) // 2)
        infos = []
        with contextlib.closing(workers.ordered_map(self._make, all_tasks, num_workers)) as results:
            for split, part in tasks.items():
                with shards.Spool(pathlib.Path(self.data_dir, f"{split}.spool")) as spool:
                    statistics = self._collect(spool, split, part, results)
                    self.info.metadata["splits"][split] = statistics.summary()
                    infos.append(shards.write_split(spool, split, **self._writer_kwargs(split, download_config)))
        return infos

    def _collect(
        self, spool: shards.Spool, split: str, tasks: list[records.Task], results: Iterator[records.Records]
    ) -> SplitStatistics:
        """Moves the records of a split into the spool; returns its statistics."""
        statistics = SplitStatistics(self.builder_config)
        with progress_bar(_count(tasks), f"{self.name} {split}", "clip") as bar:
            for task in tasks:
                chunk = next(results)
                spool.add(chunk.records)
                statistics.merge(chunk.sums)
                bar.update(task.number)
        return statistics

    def _generate_with_beam(self, tasks, download_config) -> Sequence[Any]:
        try:
            from data_builders.tfds_backend import beam_pipeline
        except ImportError as error:
            raise DatasetError(f"Apache Beam is not installed ({error}): pip install apache-beam") from None
        parts = {
            split: beam_pipeline.SplitPipeline(
                split, self._make, part, pathlib.Path(self.data_dir), **self._writer_kwargs(split, download_config)
            )
            for split, part in tasks.items()
        }
        beam_pipeline.run(list(parts.values()), download_config.beam_runner, download_config.beam_options)
        infos = []
        for split, part in parts.items():
            statistics = SplitStatistics(self.builder_config)
            for sums in part.read_sums():
                statistics.merge(sums)
            self.info.metadata["splits"][split] = statistics.summary()
            infos.append(part.finish())
        return infos

    def _log_download_bytes(self) -> None:
        """Replaces TFDS's message about downloads of unknown size."""
        config = self.builder_config
        frames = " and ".join(str(steps + 1) for steps in dict.fromkeys(config.split_steps().values()))
        trajectories = f"{config.num_train} + {config.num_test} trajectories of {frames} frames"
        megabytes = math.ceil(config.estimated_bytes() / 1e6)
        print(f"Simulating {config.system}: {trajectories}, about {megabytes} MB, into {self.data_dir}", flush=True)


def _count(tasks: Sequence[records.Task]) -> int:
    return sum(task.number for task in tasks)
