"""What the builders of the simulated data sets share: how they are made, and what is in them.

A builder folder holds one class of configuration, with its row of the table of systems as defaults, and a `Builder`
whose `BUILDER_CONFIGS` are `standard_configs` of it.
"""

import contextlib
import dataclasses
import functools
import math
import pathlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import tensorflow_datasets as tfds

from data_builders.errors import DatasetError
from data_builders.simulation import workers
from data_builders.simulation.physics_config import PhysicsConfig, standard_configs
from data_builders.simulation.split_statistics import SplitStatistics
from data_builders.tfds_backend import records, shards
from data_builders.tfds_backend.base_builder import BaseBuilder, Metadata, read_metadata
from hgn_jax.training.progress import progress_bar

__all__ = ["PhysicsBuilder", "PhysicsConfig", "read_metadata", "standard_configs"]

Make = Callable[[records.Task], records.Records]


class PhysicsBuilder(BaseBuilder, skip_registration=True):
    """Base class of the builders.

    An example is one trajectory of T + 1 frames: `image` uint8 `[T + 1, H, W, 3]`, drawn with observation noise;
    noise-free `q`, `p`, `dq_dt`, `dp_dt` float32 `[T + 1, d]` and `energy` `[T + 1]`; the `constants`, scalars but for
    masses of bodies that are drawn, `[n]`; and the `index` of the trajectory in its split. Where trajectories differ in
    how they are drawn, each has the `colours`, `offset` and `rod_lengths` of its `rendering.Look`.

    The metadata of a built data set holds every field of its `PhysicsConfig`, the `canvas` (see
    `rendering.canvas_from_metadata`), whether that `varies_scene` (see `rendering.expected_images`), and for each split
    under `splits` the number of trajectories these are of, and

    - `noise_floor_mse`: error of the expected image given the true state, `rendering.expected_images`: the least
      any predictor can reach that does not know the noise;
    - `mean_image_mse`: error of the split's mean image, the least that any constant image can reach;
    - `clipped_fraction` and `clipped_fraction_noise_free`: of frames in which a disc lies partly outside the canvas;
    - `max_relative_energy_error`: of the simulation, over all trajectories; with damping that of the balance of the
      energy and of what friction takes;
    - `num_redrawn_starts`: how often bodies came too close for that, and their start was drawn again.

    Errors are mean squares over pixels and frames, with pixels scaled to [0, 1].
    """

    def _create_builder_config(self, builder_config, version):
        config = super()._create_builder_config(builder_config, version)
        if config.system != self.BUILDER_CONFIGS[0].system:
            raise ValueError(f"the builder {self.name} cannot build a configuration of {config.system}")
        return config

    @classmethod
    def derive_config(cls, base: str | PhysicsConfig, **overrides: Any) -> PhysicsConfig:
        """As `BaseBuilder.derive_config`; `constants` and `constant_ranges` need name only those that change."""
        base = cls.named_config(base) if isinstance(base, str) else base
        for field in ("constants", "constant_ranges"):
            if isinstance(overrides.get(field), Mapping):
                overrides[field] = {**getattr(base, field), **overrides[field]}
        return super().derive_config(base, **overrides)

    def download_and_prepare(self, **kwargs: Any) -> None:
        """As TFDS's; raises DatasetError if it would take a data set that was capped for the whole one."""
        config = kwargs.get("download_config")
        whole = config is None or config.max_examples_per_split is None
        if whole and pathlib.Path(self.data_dir).exists() and not (config and config.download_mode.overwrite_dataset):
            for split, expected in self.builder_config.num_trajectories().items():
                found = self.info.splits[split].num_examples if split in self.info.splits else 0
                if found != expected:
                    raise DatasetError(
                        f"data set {self.data_dir}: is incomplete: {found} of {expected} {split} trajectories; to "
                        f"repair: rm -r {self.data_dir}, then run the same again"
                    )
        super().download_and_prepare(**kwargs)

    def _info(self) -> tfds.core.DatasetInfo:
        return self.dataset_info_from_configs(
            features=records.make_features(self.builder_config),
            homepage="https://arxiv.org/abs/1909.13789",
            metadata=Metadata(),
        )

    def _split_generators(self, dl_manager) -> dict[str, list[records.Task]]:
        """The chunks of each split."""
        del dl_manager
        return {split: records.tasks(split, n) for split, n in self.builder_config.num_trajectories().items()}

    def _generate_examples(self, task: records.Task) -> records.Records:
        """The serialised examples of a chunk."""
        return self._make(task)

    @property
    def _make(self) -> Make:
        config = self.builder_config
        # Not the builder's own class, which other processes could not import if it was loaded from a path.
        return functools.partial(records.make_records, PhysicsConfig(name=config.name, **config.values()))

    def _generate_splits(self, dl_manager, download_config) -> Sequence[Any]:
        """Replaces TFDS's, which serialises in one process, in an order of features that differs between runs."""
        config, limit = self.builder_config, download_config.max_examples_per_split
        # TFDS writes the metadata after the splits.
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
        """Makes the records with processes of this machine and writes them here."""
        all_tasks = [task for part in tasks.values() for task in part]
        # A process takes seconds to start and to compile, as long as a chunk or two take.
        num_workers = min(workers.default_num_workers(), len(all_tasks) // 2)
        infos = []
        with contextlib.closing(workers.ordered_map(self._make, all_tasks, num_workers)) as results:
            for split, part in tasks.items():
                with shards.Spool(pathlib.Path(self.data_dir, f"{split}.spool")) as spool:
                    self._keep(split, self._fill(spool, split, part, results))
                    infos.append(shards.write_split(spool, split, **self._writing(split, download_config)))
        return infos

    def _fill(self, spool: shards.Spool, split: str, tasks: list[records.Task], results) -> SplitStatistics:
        statistics = SplitStatistics(self.builder_config)
        with progress_bar(_count(tasks), f"{self.name} {split}", "clip") as bar:
            for task in tasks:
                made = next(results)
                spool.add(made.records)
                statistics.merge(made.sums)
                bar.update(task.number)
        return statistics

    def _generate_with_beam(self, tasks, download_config) -> Sequence[Any]:
        try:
            from data_builders.tfds_backend import beam_pipeline
        except ImportError as error:
            raise DatasetError(f"Apache Beam is not installed ({error}): pip install apache-beam") from None
        parts = {
            split: beam_pipeline.SplitPipeline(
                split, self._make, part, pathlib.Path(self.data_dir), **self._writing(split, download_config)
            )
            for split, part in tasks.items()
        }
        beam_pipeline.run(list(parts.values()), download_config.beam_runner, download_config.beam_options)
        infos = []
        for split, part in parts.items():
            statistics = SplitStatistics(self.builder_config)
            for sums in part.read_sums():
                statistics.merge(sums)
            self._keep(split, statistics)
            infos.append(part.finish())
        return infos

    def _keep(self, split: str, statistics: SplitStatistics) -> None:
        self.info.metadata["splits"][split] = statistics.summary()

    def _log_download_bytes(self) -> None:
        """Replaces TFDS's message, which speaks of downloads of unknown size."""
        config = self.builder_config
        frames = " and ".join(str(steps + 1) for steps in dict.fromkeys(config.split_steps().values()))
        trajectories = f"{config.num_train} + {config.num_test} trajectories of {frames} frames"
        megabytes = math.ceil(config.estimated_bytes() / 1e6)
        print(f"Simulating {config.system}: {trajectories}, about {megabytes} MB, into {self.data_dir}", flush=True)


def _count(tasks: Sequence[records.Task]) -> int:
    return sum(task.number for task in tasks)
