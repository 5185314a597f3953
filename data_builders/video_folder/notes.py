"""Notes on files, of which those that say the same become one line."""

import re
from collections.abc import Mapping

_LINES = 3  # so many alike have a line each


def grouped(notes: Mapping[str, str]) -> list[tuple[str, str]]:
    """Puts notes that say the same, up to numbers, together where they are more than three.

    Args:
      notes: A note for each name.

    Returns:
      Pairs of a name, or of words for several names, and a note.
    """
    alike: dict[str, list[tuple[str, str]]] = {}
    for name, note in notes.items():
        alike.setdefault(re.sub(r"\d+", "0", note), []).append((name, note))
    pairs = []
    for group in alike.values():
        if len(group) <= _LINES:
            pairs += group
            continue
        (first, note), (last, _) = group[0], group[-1]
        differ = " (the first; the others with other numbers)" if len({note for _, note in group}) > 1 else ""
        pairs.append((f"{len(group)} alike, {first} to {last}", note + differ))
    return pairs


def lines(notes: Mapping[str, str]) -> list[str]:
    """Returns notes by name as lines, those that say the same together."""
    return [f"{name}: {note}" for name, note in grouped(notes)]


def on_one_line(notes: Mapping[str, str]) -> str:
    """Returns the first notes in brackets, after a space; nothing if there are none."""
    texts = lines(notes)
    more = [f"{len(texts) - _LINES} more kinds above"] if len(texts) > _LINES else []
    return f" ({'; '.join(texts[:_LINES] + more)})" if texts else ""
