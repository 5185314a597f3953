"""Overrides of a builder configuration's fields, as flags `--config.field=value` or as JSON."""

import contextlib
import json
import re
from collections.abc import Sequence
from typing import Any


def parse_flags(argv: Sequence[str]) -> tuple[list[str], dict[str, Any]]:
    """Separates `--config.field=value` and `--config.field.entry=value` from the other arguments.

    Args:
      argv: Command-line arguments.

    Returns:
      The other arguments, and the new values by field; entries of a field are collected in a dictionary.

    Raises:
      ValueError: For a flag without a value, or a field that is given both as a whole and by its entries.
    """
    rest, overrides = [], {}
    for argument in argv:
        flag = re.fullmatch(r"--?config\.([^=]*)(?:=(.*))?", argument, re.DOTALL)
        if not flag:
            rest.append(argument)
            continue
        if flag[2] is None:
            raise ValueError(f"{argument}: give the value after an equals sign, --config.{flag[1]}=VALUE")
        field, _, entry = flag[1].partition(".")
        if not entry:
            overrides[field] = parse_value(flag[2])
            continue
        if not isinstance(overrides.setdefault(field, {}), dict):
            raise ValueError(f"{argument}: {field} is given twice, as a whole and in part")
        overrides[field][entry] = parse_value(flag[2])
    return rest, overrides


def parse_value(text: str) -> Any:
    """Reads a value: JSON, or numbers separated by commas, or else the text itself."""
    for candidate in (text, f"[{text}]"):
        with contextlib.suppress(ValueError):
            return json.loads(candidate)
    return text


def parse_json(text: str) -> dict[str, Any]:
    """Reads new values by field from a JSON object; raises ValueError if the text is not one."""
    try:
        fields = json.loads(text)
    except ValueError as error:
        raise ValueError(f'fields must be JSON, as {{"damping": 0.1}}; got {text!r} ({error})') from None
    if not isinstance(fields, dict):
        raise ValueError(f'fields must be JSON of fields and values, as {{"damping": 0.1}}; got {text!r}')
    return fields
