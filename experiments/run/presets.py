"""Presets: configurations by name."""

import copy
from collections.abc import Mapping
from typing import TypeVar

Config = TypeVar("Config")


def pick(presets: Mapping[str, Config], name: str) -> Config:
    """Returns a fresh copy of the preset `name`; raises ValueError listing the names there are."""
    if name not in presets:
        raise ValueError(f"unknown preset {name!r}; choose one of {', '.join(presets)}")
    return copy.deepcopy(presets[name])
