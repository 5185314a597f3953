"""Fields and names of builder configurations."""

import dataclasses
import hashlib
import re
from collections.abc import Mapping
from typing import Any

import tensorflow_datasets as tfds

_MAX_NAME_LENGTH = 120  # file systems allow 255 bytes, and TFDS adds more to file names


def field_names(config: type[tfds.core.BuilderConfig] | tfds.core.BuilderConfig) -> tuple[str, ...]:
    """Returns the fields of a configuration, without those that every TFDS configuration has."""
    common = {field.name for field in dataclasses.fields(tfds.core.BuilderConfig)}
    return tuple(field.name for field in dataclasses.fields(config) if field.name not in common)


def derived_name(base: str, changes: Mapping[str, Any]) -> str:
    """Names a configuration that changes fields of `base`, in letters, digits, `_`, `-` and `.` only."""
    parts = [base]
    for field, value in sorted(changes.items()):
        text = f"{value:g}" if isinstance(value, float) and float(f"{value:g}") == value else str(value)
        parts.append(f"{field}_{re.sub(r'[^A-Za-z0-9.]+', '_', text).strip('_')}")
    name = "-".join(parts)
    if len(name) > _MAX_NAME_LENGTH:
        name = f"{name[:100]}-{hashlib.sha256(name.encode()).hexdigest()[:12]}"
    return name
