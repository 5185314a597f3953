"""Checks of a data set on disk: its configuration, counts, and whether each record is what was written."""

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
    """What is wrong with the data set in a directory that should hold `config`, in words; None if it is whole."""
    try:
        info = tfds.builder_from_directory(path).info
        metadata = read_metadata(path)
    except Exception as error:  # whatever TFDS, protobuf or json say about a missing or damaged file
        return f"its description cannot be read ({first_line(error)})"
    for field, value in json.loads(json.dumps(config.values())).items():
        found = metadata.get(field, _default(type(config), field))  # older data sets lack the fields that are newer
        if found != value:
            return f"was built with {field} = {found}, not {value}"
    counted = {split: found["num_trajectories"] for split, found in metadata.get("splits", {}).items()}
    for split, expected in (config.num_trajectories() or counted).items():
        found = info.splits[split].num_examples if split in info.splits else 0
        if found != expected:
            return f"is incomplete: {found} of {expected} {split} trajectories"
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
        found = reader.num_records()
        for first in range(0, found, _RECORDS_AT_A_TIME):  # which compares the hashes; a second for some hundred MB
            reader.read(range(first, min(first + _RECORDS_AT_A_TIME, found)))
        reader.close()
    except (RuntimeError, ValueError) as error:
        return f"{shard.name} is truncated or damaged ({first_line(error)})"
    return None if found == num_records else f"{shard.name} holds {found} of {num_records} trajectories"


def _default(config_class: type[tfds.core.BuilderConfig], field: str) -> Any:
    """The value of a field in data sets that were built before there was that field."""
    found = {each.name: each for each in dataclasses.fields(config_class)}[field]
    return found.default if found.default_factory is dataclasses.MISSING else found.default_factory()
