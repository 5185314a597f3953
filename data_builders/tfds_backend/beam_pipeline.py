"""Makes and writes the records of a data set in an Apache Beam pipeline, with any of its runners."""

import pathlib
from collections.abc import Callable, Iterator
from typing import Any

import apache_beam as beam
import numpy as np
from apache_beam.options.pipeline_options import PipelineOptions, TypeOptions
from tensorflow_datasets.core import splits, writer

from data_builders.tfds_backend.records import Records, Task

_SUMS = "sums"


class _SerializedAlready:
    """Replaces TFDS's serializer for examples that are serialised records already."""

    example_specs = None

    def serialize_example(self, example: bytes) -> bytes:
        return example


class SplitPipeline:
    """The part of a pipeline that makes one split.

    Args:
      split: Name of the split.
      make: Function that makes the records of a task.
      tasks: Chunks of the split, from the first.
      directory: Directory of the data set, which the workers must reach under the same path, as with TFDS's own writer.
      **writer_kwargs: Arguments of TFDS's `BeamWriter`.
    """

    def __init__(
        self,
        split: str,
        make: Callable[[Task], Records],
        tasks: list[Task],
        directory: pathlib.Path,
        **writer_kwargs: Any,
    ):
        self._split, self._make, self._tasks = split, make, tasks
        self._sums = directory / f"{split}.{_SUMS}.npz"
        self._filename_template = writer_kwargs["filename_template"]
        self._writer = writer.BeamWriter(
            serializer=_SerializedAlready(), hash_salt=split, disable_shuffling=False, **writer_kwargs
        )

    def add_to(self, pipeline: beam.Pipeline) -> None:
        """Adds this part to a pipeline, before it is run."""
        split = self._split
        made = (
            pipeline
            | f"{split}_chunks" >> beam.Create(self._tasks)
            | f"{split}_spread" >> beam.Reshuffle()
            | f"{split}_make" >> beam.ParDo(_Make(self._make)).with_outputs(_SUMS, main="records")
        )
        _ = made["records"] | f"{split}_write" >> beam.ptransform_fn(self._writer.write_from_pcollection)()
        _ = (
            made[_SUMS]
            | f"{split}_collect" >> beam.combiners.ToList()
            | f"{split}_save" >> beam.Map(_save, str(self._sums))
        )

    def read_sums(self) -> list[dict[str, np.ndarray]]:
        """Returns the sums of each chunk's statistics, in the order of the chunks, after the pipeline has run."""
        chunks = [{} for _ in self._tasks]
        with np.load(self._sums, allow_pickle=False) as arrays:
            for key, value in arrays.items():
                chunk, name = key.split(".")
                chunks[int(chunk)][name] = value
        self._sums.unlink()
        return chunks

    def finish(self) -> splits.SplitInfo:
        """Returns TFDS's description of the split, after the pipeline has run."""
        shard_lengths, num_bytes = self._writer.finalize()
        return splits.SplitInfo(
            name=self._split,
            shard_lengths=shard_lengths,
            num_bytes=num_bytes,
            filename_template=self._filename_template,
        )


class _Make(beam.DoFn):
    """Makes the records of a chunk with their indices, and the sums of its statistics with the chunk's number."""

    def __init__(self, make: Callable[[Task], Records]):
        self._make = make

    def process(self, task: Task) -> Iterator[Any]:
        made = self._make(task)
        yield from zip(made.indices, made.records, strict=True)
        yield beam.pvalue.TaggedOutput(_SUMS, (task.chunk, made.sums))


def _save(sums: list[tuple[int, dict[str, np.ndarray]]], path: str) -> None:
    np.savez(path, **{f"{chunk}.{name}": value for chunk, part in sums for name, value in part.items()})


def run(parts: list[SplitPipeline], runner: Any, options: PipelineOptions | None) -> None:
    """Runs a pipeline of these parts to its end; raises the errors of its workers."""
    options = options or PipelineOptions([])
    options.view_as(TypeOptions).pipeline_type_check = False  # it rejects TFDS's writer
    with beam.Pipeline(runner=runner, options=options) as pipeline:
        for part in parts:
            part.add_to(pipeline)
