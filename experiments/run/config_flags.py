"""The configuration on the command line: `--config=NAME` picks a preset, `--config.field=value` overrides a field."""

import dataclasses
import functools
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from absl import flags
from ml_collections import config_flags

from experiments.run import command_line
from experiments.run.presets import pick
from hgn_jax.config_checks import places


class _OrNone(flags.ArgumentParser):
    """Reads None besides what another parser reads; `config_checks` says later which fields may be None."""

    def __init__(self, parser: flags.ArgumentParser):
        self._parser = parser
        self.syntactic_help = parser.syntactic_help

    def parse(self, argument: Any) -> Any:
        return None if argument in ("None", "none") else self._parser.parse(argument)

    def flag_type(self) -> str:
        return self._parser.flag_type()


_PARSERS = {
    bool: flags.BooleanParser(),
    int: flags.IntegerParser(),
    float: flags.FloatParser(),
    str: flags.ArgumentParser(),
}


def define_config(
    presets: Mapping[str, Any], default: str, flag_values: flags.FlagValues = flags.FLAGS
) -> flags.FlagHolder:
    """Defines `--config=NAME`, which picks a preset, and `--config.field=value`, which overrides a field of it."""
    for kind, parser in _PARSERS.items():
        config_flags.register_flag_parser_for_type(kind, _OrNone(parser))
    get = functools.partial(pick, presets)
    text = f"Preset ({', '.join(presets)}), before overrides of its fields, --config.a.b=value."
    command_line.expand_flag_files(sys.argv)
    try:  # ml_collections reads the overrides at once, and answers a wrong one with a traceback
        _check_config_fields(sys.argv, get(default))
    except ValueError as error:
        command_line.fail(str(error))
    config = config_flags.DEFINE_config_dataclass("config", get(default), text, flag_values, parse_fn=get)
    flag_values.register_key_flag_for_module(sys.argv[0], flag_values["config"])  # for --help of the program
    return config


def _check_config_fields(argv: Sequence[str], config: Any) -> None:
    """Raises ValueError for an override that is out of order, or of a field that does not exist or has another type."""
    names = [argument.lstrip("-").partition("=")[0] for argument in argv[1:] if argument.startswith("-")]
    is_override = [name.startswith(("config.", "noconfig.")) for name in names]
    if any(is_override[: names.index("config") if "config" in names else 0]):
        raise ValueError("give --config=NAME before the overrides --config.field=value")
    for name in (name for name, override in zip(names, is_override, strict=True) if override):
        value = _field(config, name)
        if name.startswith("no") and not isinstance(value, bool):
            raise ValueError(f"--{name}: config.{name.partition('.')[2]} is not True or False; give --{name[2:]}=value")


def _field(config: Any, name: str) -> Any:
    """Returns the value of a field; raises ValueError, naming the fields that there are, if there is none."""
    parents, here = [], config
    for part in name.split(".")[1:]:
        fields = [field.name for field in dataclasses.fields(here)] if dataclasses.is_dataclass(here) else []
        if part not in fields:
            place = ".".join(["config", *parents])
            elsewhere = [f"--config.{field}" for field in places(config, part)]
            hint = f"; did you mean {' or '.join(elsewhere)}?" if elsewhere else ""
            raise ValueError(f"--{name}: {place} has no field {part!r}; it has {', '.join(fields) or 'none'}{hint}")
        parents.append(part)
        here = getattr(here, part)
    if dataclasses.is_dataclass(here):
        fields = ", ".join(field.name for field in dataclasses.fields(here))
        raise ValueError(f"--{name} is a group of fields; set one of them: {fields}")
    return here
