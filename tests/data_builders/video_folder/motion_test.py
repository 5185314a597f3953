"""Tests of the search for the part of the picture in which things move."""

import numpy as np
import pytest

from data_builders.video_folder import motion

CELL = 1 / 64


def _film(places, height=120, width=160, side=8, noise=0.0, num_frames=12, seed=0):
    """Films a bright square that moves straight from one place to another, `(x, y)` of its upper left corner."""
    random = np.random.default_rng(seed)
    background = random.uniform(40, 90, (height, width, 3))
    for share in np.linspace(0.0, 1.0, num_frames):
        x, y = np.rint((1 - share) * np.array(places[0]) + share * np.array(places[1])).astype(int)
        frame = background + random.normal(0.0, noise, background.shape)
        frame[y : y + side, x : x + side] = 230
        yield np.uint8(frame.clip(0, 255))


@pytest.mark.parametrize("noise", [0.0, 10.0])
@pytest.mark.parametrize("places", [((20, 30), (100, 60)), ((0, 0), (0, 40)), ((10, 100), (152, 112))])
def test_finds_what_moves_and_little_more(places, noise):
    change, number = motion.changes(_film(places, noise=noise))
    assert number == 12
    box = motion.moving_part([change])
    (x0, x1), (y0, y1) = ((min(axis), max(axis) + 8) for axis in zip(*places, strict=True))
    margins = {
        "left": x0 / 160 - box.left, "top": y0 / 120 - box.top,
        "right": box.right - x1 / 160, "bottom": box.bottom - y1 / 120,
    }  # fmt: skip
    at_an_edge = {"left": x0 == 0, "top": y0 == 0, "right": x1 == 160, "bottom": y1 == 120}
    for name, margin in margins.items():
        assert (abs(margin) < 1e-9) if at_an_edge[name] else (0.0 < margin < 0.05 + 2 * CELL), name


def test_one_part_for_all_videos():
    changes = [motion.changes(_film(places))[0] for places in (((20, 20), (40, 20)), ((90, 70), (120, 100)))]
    one, other, both = (motion.moving_part(some) for some in (changes[:1], changes[1:], changes))
    assert both.left <= one.left < other.left and both.top <= one.top < other.top
    assert both.right >= other.right > one.right and both.bottom >= other.bottom > one.bottom


def test_a_still_video_has_no_moving_part():
    still = _film(((20, 20), (20, 20)), noise=3.0)
    assert motion.moving_part([motion.changes(still)[0]]) is None
    assert motion.moving_part([]) is None
    assert motion.changes(iter(()))[1] == 0


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("height, width", [(100, 100), (60, 160), (160, 60)])
def test_the_square_holds_the_part_and_lies_in_the_picture(height, width, seed):
    random = np.random.default_rng(seed)
    (left, right), (top, bottom) = np.sort(random.uniform(0, 1, (2, 2)))
    square = motion.square_around(motion.Box(left, top, right, bottom), height, width)
    assert 0 <= square[0] <= left * width + 1e-9 and right * width - 1e-9 <= square[2] <= width + 1e-9
    assert 0 <= square[1] <= top * height + 1e-9 and bottom * height - 1e-9 <= square[3] <= height + 1e-9
    side = max((right - left) * width, (bottom - top) * height)
    np.testing.assert_allclose((square[2] - square[0], square[3] - square[1]), (min(side, width), min(side, height)))
