"""What the modules of presets share: how one is picked, and the checks of fields that more than one of them has.

No JAX here: configurations are checked before it is imported.
"""

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
    """Fields of a builder's configuration and their values, from JSON; raises ValueError if it is none."""
    try:
        fields = json.loads(text)
    except ValueError as error:
        raise ValueError(f'fields must be JSON, as {{"damping": 0.1}}; got {text!r} ({error})') from None
    if not isinstance(fields, dict):
        raise ValueError(f'fields must be JSON of fields and values, as {{"damping": 0.1}}; got {text!r}')
    return fields


def validate_clips(data: Any, evaluation: Any) -> None:
    """Checks the `presets.DataConfig` and `presets.EvaluationConfig` of a model of clips.

    Raises ValueError in one line, as far as it can be told without the data set's builder.
    """
    if data.name == "video_folder" and not data.source:
        raise ValueError("data.source is missing: name the directory of your videos, --config.data.source=DIR")
    if data.fields is not None:
        parse_fields(data.fields)
    if evaluation.batch_size < 1:
        raise ValueError(f"evaluation.batch_size must be 1 or more, got {evaluation.batch_size}")
    if evaluation.num_examples is not None and evaluation.num_examples < 2:
        raise ValueError(f"evaluation.num_examples must be 2 or more, or None; got {evaluation.num_examples}")
