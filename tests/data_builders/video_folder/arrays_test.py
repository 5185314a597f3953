"""Tests of the order of axes and of the range of values, over all orders and types."""

import itertools

import numpy as np
import pytest

from data_builders.video_folder import arrays
from data_builders.video_folder.clips import Reading, UnreadableError
from data_builders.video_folder.video_files import read_clips

NUM_CLIPS, NUM_FRAMES, SIDE = 10, 14, 16
ORDERS = ["".join(order) for axes in ("THW", "NTHW", "THWC", "NTHWC") for order in itertools.permutations(axes)]


def films(number=NUM_CLIPS, channels=3, height=SIDE, width=SIDE, seed=0):
    """Makes films of a bright block that drifts, each at a place of its own, uint8 `[N, T, H, W, C]`."""
    random = np.random.default_rng(seed)
    result = random.integers(0, 60, (number, 1, 1, 1, channels)) * np.ones((1, NUM_FRAMES, height, width, 1), np.uint8)
    for film in result:
        row, column = random.integers(0, height - 5), random.integers(0, width - 5)
        direction = random.choice([-1, 1])
        for t, frame in enumerate(film):
            place = np.clip(column + direction * t / 4, 0, width - 5).astype(int)
            frame[row : row + 5, place : place + 5] = random.integers(190, 200)
    return result.astype(np.uint8)


def in_order(array, order):
    """Transposes `[N, T, H, W, C]` to an order of axes; takes the first of those that it lacks."""
    present = [axis for axis in "NTHWC" if axis in order]
    array = array[tuple(slice(None) if axis in order else 0 for axis in "NTHWC")]
    return array.transpose([present.index(axis) for axis in order])


def read(tmp_path, array, reading=Reading()):  # noqa: B008
    np.save(tmp_path / "array.npy", array)
    clips, reasons = read_clips(tmp_path / "array.npy", reading)
    assert reasons == {}
    return np.stack([np.stack(list(clip.frames)) for clip in clips]), clips


@pytest.mark.parametrize(
    "order", [pytest.param(order, marks=[pytest.mark.slow] if len(order) == 5 else []) for order in ORDERS]
)
def test_any_order_of_axes_is_read_when_it_is_named(tmp_path, order):
    array = films()
    frames, clips = read(tmp_path, in_order(array, order), Reading(axes=order))
    expected = array if "C" in order else array[..., :1]
    np.testing.assert_array_equal(frames, np.broadcast_to(expected[: len(frames)], frames.shape))
    assert len(frames) == (NUM_CLIPS if "N" in order else 1)
    number = f"{NUM_CLIPS} clips of {NUM_FRAMES} frames" if "N" in order else f"{NUM_FRAMES} frames"
    assert clips[0].remarks[0].startswith(f"axes={order}: {number}, {SIDE}x{SIDE}, ")


@pytest.mark.parametrize("order", [order for order in ORDERS if order.endswith(("HW", "HWC"))])
@pytest.mark.parametrize("seed", range(3))
def test_an_order_is_inferred_or_refused_but_never_mistaken(tmp_path, order, seed):
    """Pictures are whole; clips, time and colours stand in any order before them, or the colours behind."""
    array = in_order(films(seed=seed), order)
    if order in ("THW", "NTHW", "THWC", "NTHWC"):
        frames, _ = read(tmp_path, array)
        np.testing.assert_array_equal(frames, read(tmp_path, array, Reading(axes=order))[0])
    else:
        with pytest.raises(UnreadableError, match=f"--config.axes={order}") as caught:
            read(tmp_path, array)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize("order", ["CTHW", "HWT", "HWTN", "HWCT", "HWTC", "NCTHW"])
def test_other_usual_orders_are_refused_with_the_flag_that_reads_them(tmp_path, order):
    """Colours first as in PyTorch, time last as in MATLAB."""
    with pytest.raises(UnreadableError, match=f"--config.axes={order}"):
        read(tmp_path, in_order(films(number=5), order))


@pytest.mark.parametrize("shape", [(5, 9, 6, 7), (2, 5, 6, 7), (9, 9, 9, 9), (40, 30, 8, 8)])
def test_noise_has_no_order_that_is_better(shape):
    assert arrays.order_of_axes(np.random.default_rng(0).integers(0, 256, shape)) == "NTHW"


def test_films_that_hardly_differ_or_do_not_move_are_read():
    still = np.broadcast_to(films()[:, :1], films().shape)
    alike = np.broadcast_to(films()[:1], films().shape)
    assert [arrays.order_of_axes(array) for array in (still, alike)] == ["NTHWC", "NTHWC"]


@pytest.mark.parametrize("axes", ["NTHWC", "THWC"])
def test_a_named_order_must_fit_the_shape(tmp_path, axes):
    with pytest.raises(UnreadableError, match=f"axes={axes} takes 16 of shape .* for colours, which are 1, 3 or 4"):
        read(tmp_path, in_order(films(), "TNHCW" if "N" in axes else "THCW"), Reading(axes=axes))


@pytest.mark.parametrize(("dtype", "black", "white"), [
    (np.float32, 0, 255), (np.float64, 0, 4095), (np.uint16, 0, 4095), (np.int32, 0, 1023), (np.uint16, 0, 65535),
    (np.float32, -1, 1), (np.int16, 0, 16383), (np.float16, 0, 255), (np.int8, -1, 1),
])  # fmt: skip
def test_other_ranges_are_refused_with_the_flag_that_reads_them(tmp_path, dtype, black, white):
    grey = np.array([0, 0.25, 0.75, 1.0])[:, None, None] * np.ones((4, 5, 5))
    array = (black + grey * (white - black)).astype(dtype)
    with pytest.raises(UnreadableError, match=f"found {black} to .*; --config.range={black},{white} reads them"):
        read(tmp_path, array)
    frames, clips = read(tmp_path, array, Reading(range=(black, white)))
    expected = (array.astype(float) - black) / (white - black) * 255
    np.testing.assert_allclose(frames[0, ..., 0], expected, atol=0.51)
    assert f"{black} is black and {white} white" in clips[0].remarks[0]


def test_values_outside_a_named_range_are_refused(tmp_path):
    with pytest.raises(UnreadableError, match="values must lie in range=0,100, found 0 to 200; --config.range=0,255"):
        read(tmp_path, np.arange(201).reshape(201, 1, 1) * np.ones((1, 5, 5), int), Reading(range=(0, 100)))
