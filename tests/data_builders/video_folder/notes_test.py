"""Tests of notes: nothing is lost, and what says the same shares a line."""

import pytest

from data_builders.video_folder import notes


@pytest.mark.parametrize("number", [1, 3, 4, 1000])
def test_notes_that_say_the_same_share_a_line_if_they_are_many(number):
    same = {f"{i}.txt": "is no film" for i in range(number)}
    short = {f"{i}.mp4": f"too short: {i} frames" for i in range(number)}
    lines = notes.lines({**same, **short, "a.npy": "is empty"})
    if number <= 3:
        assert len(lines) == 2 * number + 1
    else:
        assert lines[0] == f"{number} alike, 0.txt to {number - 1}.txt: is no film"
        assert lines[1].startswith(f"{number} alike, 0.mp4 to {number - 1}.mp4: too short: 0 frames (the first")
    assert lines[-1] == "a.npy: is empty"


def test_one_line_names_the_first_kinds():
    assert notes.on_one_line({}) == ""
    kinds = {f"{name}.mp4": f"reason {name}" for name in "abcde"}
    assert notes.on_one_line(kinds) == " (a.mp4: reason a; b.mp4: reason b; c.mp4: reason c; 2 more kinds above)"
