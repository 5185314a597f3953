"""Checks a data set on disk: its configuration, its counts and the integrity of every record."""

import dataclasses
import json
import pathlib
from typing import Any

import tensorflow_datasets as tfds
from array_record.python import array_record_module

from data_builders.tfds_backend.base_builder import read_metadata
from hgn_jax.errors import first_line

_RECORDS_AT_A_TIME = 500


def find_problem(path: pathlib.Path, config: tfds.core.BuilderConfig) -> str | None:
    """Describes the first problem of the data set in a directory that should hold `config`; None if it has none."""
    try:
        info = tfds.builder_from_directory(path).info
        metadata = read_metadata(path)
    except Exception as error:  # TFDS, protobuf and json raise various types for a missing or damaged file
        return f"its description cannot be read ({first_line(error)})"
    for field, value in json.loads(json.dumps(config.values())).items():
        stored = metadata.get(field, _default(type(config), field))  # data sets lack fields that were added later
        if stored != value:
            return f"was built with {field} = {stored}, not {value}"
    counted = {split: statistics["num_trajectories"] for split, statistics in metadata.get("splits", {}).items()}
    for split, expected in (config.num_trajectories() or counted).items():
        num_examples = info.splits[split].num_examples if split in info.splits else 0
        if num_examples != expected:
            return f"is incomplete: {num_examples} of {expected} {split} trajectories"
        for shard, num_records in zip(info.splits[split].filepaths, info.splits[split].shard_lengths, strict=True):
            problem = _find_shard_problem(pathlib.Path(shard), num_records)
            if problem:
                return problem
    return None


def _find_shard_problem(shard: pathlib.Path, num_records: int) -> str | None:
    if shard.name.split(".")[-1].startswith("tfrecord"):
        return "is in TFRecord format, which is read by TensorFlow only"
    if not shard.exists():
        return f"{shard.name} is missing"
    try:
        reader = array_record_module.ArrayRecordReader(str(shard))  # reads the index at the end of the file
        num_stored = reader.num_records()
        for first in range(0, num_stored, _RECORDS_AT_A_TIME):  # compares hashes; a second for some hundred MB
            reader.read(range(first, min(first + _RECORDS_AT_A_TIME, num_stored)))
        reader.close()
    except (RuntimeError, ValueError) as error:
        return f"{shard.name} is truncated or damaged ({first_line(error)})"
    return None if num_stored == num_records else f"{shard.name} holds {num_stored} of {num_records} trajectories"


def _default(config_class: type[tfds.core.BuilderConfig], field: str) -> Any:
    """Returns the default of a field, which holds for data sets that were built before the field was added."""
    [declared] = [each for each in dataclasses.fields(config_class) if each.name == field]
    return declared.default if declared.default_factory is dataclasses.MISSING else declared.default_factory()
