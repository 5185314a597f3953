"""How a preset is picked by its name, and how fields of a builder's configuration are read. No JAX is imported here."""

import copy
import json
from collections.abc import Mapping
from typing import Any, TypeVar

Config = TypeVar("Config")


def pick(presets: Mapping[str, Config], name: str) -> Config:
    """Returns a fresh copy of the preset `name`; raises ValueError listing the names there are."""
    if name not in presets:
        raise ValueError(f"unknown preset {name!r}; choose one of {', '.join(presets)}")
    return copy.deepcopy(presets[name])


def parse_fields(text: str) -> dict[str, Any]:
    """Reads fields of a builder's configuration and their values from JSON; raises ValueError if the text is not."""
    try:
        fields = json.loads(text)
    except ValueError as error:
        raise ValueError(f'fields must be JSON, as {{"damping": 0.1}}; got {text!r} ({error})') from None
    if not isinstance(fields, dict):
        raise ValueError(f'fields must be JSON of fields and values, as {{"damping": 0.1}}; got {text!r}')
    return fields
