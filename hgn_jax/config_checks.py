"""What the checks of configurations share. Each raises ValueError that names the field and what it may be."""

from collections.abc import Iterable, Mapping
from typing import Any


def require_choice(config: Any, choices: Mapping[str, tuple[str, ...]]) -> None:
    """Each field is one of its choices."""
    for field, allowed in choices.items():
        if getattr(config, field) not in allowed:
            raise ValueError(f"{field} must be one of {', '.join(allowed)}; got {getattr(config, field)!r}")


def require_at_least(config: Any, least: Mapping[str, float]) -> None:
    """Each field is finite and not below its least value."""
    for field, value in least.items():
        if not value <= getattr(config, field) < float("inf"):
            raise ValueError(f"{field} must be {value} or more, got {getattr(config, field)}")


def require_positive(config: Any, fields: Iterable[str]) -> None:
    """Each field is positive and finite."""
    for field in fields:
        if not 0 < getattr(config, field) < float("inf"):
            raise ValueError(f"{field} must be positive and finite, got {getattr(config, field)}")


def require_sizes(config: Any, fields: Iterable[str]) -> None:
    """Each field is a tuple of whole numbers, none below 1."""
    for field in fields:
        if not all(isinstance(n, int) and n >= 1 for n in getattr(config, field)):
            raise ValueError(f"{field} must be positive whole numbers, got {getattr(config, field)}")
