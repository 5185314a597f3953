"""Tests of `experiments.run.presets`; those of the presets of all tasks are in `tasks_test.py`."""

import pytest

from experiments.run import presets


def test_pick_copies():
    there = {"a": [1], "b": [2]}
    presets.pick(there, "a").append(3)
    assert there["a"] == [1]
    with pytest.raises(ValueError, match="^unknown preset 'moon'; choose one of a, b$"):
        presets.pick(there, "moon")


def test_fields_are_json():
    assert presets.parse_fields('{"damping": 0.1}') == {"damping": 0.1}
    for text in ("", "{", "[1]", "3"):
        with pytest.raises(ValueError, match="^fields must be JSON"):
            presets.parse_fields(text)
