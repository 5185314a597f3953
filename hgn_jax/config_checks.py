"""Fields of a configuration that declare their type, default and allowed values together, and one check for them all.

    @dataclasses.dataclass
    class Config:
        latent: str = choice("spatial", ("spatial", "vector"))
        dt: float = positive(0.125)
        loss_frames: int | None = at_least(None, 1)

The annotation gives the type of a field and whether it may be None, the function on the right gives the allowed values,
and `check_fields` checks both. Rules that tie several fields together stay ordinary code beside the configuration.
The check reads annotations, so a module with configurations cannot use `from __future__ import annotations`.
"""

import dataclasses
import math
import numbers
import operator
import os
import types
import typing
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

MAX_COUNT = 2**31 - 1
MAX_SEED = 2**32 - 1
MAX_STEPS = 10_000  # that are taken one after another where one is expected; more take hours to compile or to run


class Rule(NamedTuple):
    """The allowed values of a field.

    Attributes:
      description: Completes the sentence "the field must be ...".
      allows: Whether a value other than None is allowed.
    """

    description: str
    allows: Callable[[Any], bool]


def checked(default: Any, description: str, allows: Callable[[Any], bool]) -> Any:
    """A field whose values must satisfy `allows`; `description` completes "the field must be ..."."""
    return dataclasses.field(default=default, metadata={"rule": Rule(description, allows)})


def choice(default: str | None, options: Iterable[str]) -> Any:
    """A field that takes one of several names."""
    options = tuple(options)
    return checked(default, f"one of {', '.join(options)}", lambda value: value in options)


def positive(default: float | None) -> Any:
    """A field that takes positive, finite numbers."""
    return checked(default, "positive and finite", lambda value: 0 < value < math.inf)


def finite(default: float | None) -> Any:
    """A field that takes finite numbers of either sign."""
    return checked(default, "finite", math.isfinite)


def at_least(default: float | None, minimum: float, maximum: float | None = None) -> Any:
    """A field that takes finite numbers from `minimum` upwards, or to `maximum`, included, if there is one."""
    if maximum is None:
        return checked(default, f"{minimum} or more", lambda value: minimum <= value < math.inf)
    return checked(default, f"{minimum} or more and at most {maximum}", lambda value: minimum <= value <= maximum)


def count(default: int, minimum: int = 1) -> Any:
    """A field that takes the whole numbers from `minimum` that JAX can count, in 32 bits."""
    return at_least(default, minimum, MAX_COUNT)


def any_seed(default: int) -> Any:
    """A field that takes the seeds that JAX tells apart, of 32 bits."""
    return at_least(default, 0, MAX_SEED)


def within(default: float | None, interval: str) -> Any:
    """A field that takes the numbers of an interval such as `"[0, 1)"`, where a round bracket excludes the end."""
    low, high = (float(end) for end in interval[1:-1].split(","))
    above = operator.lt if interval[0] == "(" else operator.le
    below = operator.lt if interval[-1] == ")" else operator.le
    return checked(default, f"in {interval}", lambda value: above(low, value) and below(value, high))


def sizes(*default: int) -> Any:
    """A field that takes a tuple of positive whole numbers, such as the widths of the layers of a network."""
    return checked(default, "positive whole numbers", lambda value: all(size >= 1 for size in value))


def path(default: str | None) -> Any:
    """A field that names a file or directory, which `absolute_paths` makes absolute."""
    return dataclasses.field(default=default, metadata={"path": True})


def absolute_paths(config: Any) -> Any:
    """Returns a copy of a configuration whose fields declared by `path` are absolute, with the home directory for ~.

    Raises:
      ValueError: If there is no home directory.
    """
    changes = {}
    for field in dataclasses.fields(config):
        value = getattr(config, field.name)
        if dataclasses.is_dataclass(value):
            changes[field.name] = absolute_paths(value)
        elif value and field.metadata.get("path"):
            changes[field.name] = os.path.abspath(expand_home(value))
    return dataclasses.replace(config, **changes)


def expand_home(name: str) -> str:
    """Returns a path with the home directory in place of ~; raises ValueError if there is none."""
    expanded = os.path.expanduser(name)
    if expanded.startswith("~") and not os.path.lexists(name):
        raise ValueError(f"cannot tell which directory ~ is in {name!r}; give the whole path, or set HOME")
    return expanded


def check_fields(config: Any, prefix: str = "") -> None:
    """Checks every field of a configuration against its type and its rule, including nested configurations.

    Args:
      config: Dataclass whose fields are annotated with types and may be declared by the functions above.
      prefix: Text before the name of a field in a message. Nested configurations get dotted names,
        `training.batch_size`.

    Raises:
      ValueError: If values are not allowed: in one line, for each of them its name, what it may be, and the value.
    """
    raise_together(_wrong_fields(config, prefix))


def raise_together(problems: Iterable[str]) -> None:
    """Raises one ValueError that names all problems in one line, if there are any."""
    problems = list(problems)
    if problems:
        raise ValueError("; ".join(problems))


def _wrong_fields(config: Any, prefix: str) -> Iterator[str]:
    for field in dataclasses.fields(config):
        name, value = prefix + field.name, getattr(config, field.name)
        if dataclasses.is_dataclass(value):
            yield from _wrong_fields(value, f"{name}.")
            continue
        annotation, optional = _split_optional(field.type)
        if value is None and optional:
            continue
        rule = field.metadata.get("rule")
        if not _has_type(value, annotation):
            expected = _TYPE_DESCRIPTIONS[annotation]
        elif rule and not rule.allows(value):
            expected = rule.description
        else:
            continue
        yield f"{name} must be {expected}{', or None' if optional else ''}; got {value!r}"


def places(config: Any, field: str, prefix: str = "") -> list[str]:
    """Returns the dotted names of all fields of a configuration, and of those nested in it, that are called `field`."""
    found = []
    for own in dataclasses.fields(config):
        value = getattr(config, own.name)
        if own.name == field:
            found.append(prefix + own.name)
        if dataclasses.is_dataclass(value):
            found += places(value, field, f"{prefix}{own.name}.")
    return found


_TYPE_DESCRIPTIONS = {
    bool: "True or False",
    int: "a whole number",
    float: "a number",
    str: "text",
    tuple[int, ...]: "a tuple of whole numbers",
}
_ACCEPTED_CLASSES = {bool: bool, int: numbers.Integral, float: numbers.Real, str: str}


def _split_optional(annotation: Any) -> tuple[Any, bool]:
    """`(X, True)` for `X | None`, and `(X, False)` for any other annotation X."""
    if not isinstance(annotation, types.UnionType):
        return annotation, False
    (wanted,) = (option for option in typing.get_args(annotation) if option is not types.NoneType)
    return wanted, True


def _has_type(value: Any, annotation: Any) -> bool:
    """Returns whether a value fits an annotation; annotations that are not listed above are not checked."""
    if annotation not in _TYPE_DESCRIPTIONS:
        return True
    if typing.get_origin(annotation) is tuple:
        return isinstance(value, tuple | list) and all(_has_type(x, typing.get_args(annotation)[0]) for x in value)
    if isinstance(value, bool):
        return annotation is bool
    return isinstance(value, _ACCEPTED_CLASSES[annotation])
