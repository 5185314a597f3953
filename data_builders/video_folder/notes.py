"""Notes on files, of which those that say the same become one line."""

import re
from collections.abc import Mapping

_LINES = 3  # so many alike have a line each


def lines(notes: Mapping[str, str]) -> list[str]:
    """Returns notes by name as lines; more than three that differ in numbers only share one.

    Args:
      notes: A note for each name.
    """
    alike: dict[str, list[tuple[str, str]]] = {}
    for name, note in notes.items():
        alike.setdefault(re.sub(r"\d+", "0", note), []).append((name, note))
    texts = []
    for group in alike.values():
        if len(group) <= _LINES:
            texts += [f"{name}: {note}" for name, note in group]
            continue
        (first, note), (last, _) = group[0], group[-1]
        differ = " (the first; the others with other numbers)" if len({note for _, note in group}) > 1 else ""
        texts.append(f"{len(group)} alike, {first} to {last}: {note}{differ}")
    return texts


def on_one_line(notes: Mapping[str, str]) -> str:
    """Returns the first notes in brackets, after a space; nothing if there are none."""
    texts = lines(notes)
    more = [f"{len(texts) - _LINES} more kinds above"] if len(texts) > _LINES else []
    return f" ({'; '.join(texts[:_LINES] + more)})" if texts else ""
