"""Tests of `hgn_jax.data.frames`."""

import numpy as np
import pytest

from hgn_jax.data import as_frames
from hgn_jax.data.frames import read_array

_PIXELS = np.random.default_rng(0).integers(0, 256, (2, 3, 4, 4, 3))


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int64])
def test_whole_numbers_become_bytes(dtype):
    frames = as_frames(_PIXELS.astype(dtype))
    assert frames.dtype == np.uint8
    np.testing.assert_array_equal(frames, _PIXELS)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_floats_stay_what_they_are(dtype):
    frames = as_frames((_PIXELS / 255).astype(dtype))
    assert frames.dtype == np.float32
    np.testing.assert_allclose(frames, _PIXELS / 255, atol=1e-3)


@pytest.mark.parametrize("dtype", [bool, np.uint8, np.int64, np.float32])
def test_masks_are_black_and_white(dtype):
    mask = _PIXELS > 100
    np.testing.assert_array_equal(as_frames(mask.astype(dtype)), mask.astype(np.float32))


def test_one_film_is_a_batch_of_one():
    np.testing.assert_array_equal(as_frames(_PIXELS[0]), _PIXELS[:1])
    np.testing.assert_array_equal(as_frames(_PIXELS.tolist(), image_size=4), _PIXELS)


@pytest.mark.parametrize(
    ("frames", "message"),
    [
        (_PIXELS[..., :1], r"must be \[clips, time, size, size, 3\] .* got shape \(2, 3, 4, 4, 1\)"),
        (_PIXELS[..., 0], "got shape"),
        (_PIXELS[:, :, :3], "got shape"),
        (_PIXELS[0, 0], "got shape"),
        (_PIXELS[:0], "got shape"),
        (_PIXELS.astype(float), r"floats must lie in \[0, 1\], found 0 to 255"),
        (np.full((1, 1, 2, 2, 3), np.nan), "found nan to nan"),
        (_PIXELS - 1, "must lie in 0 to 255, found -1 to 254"),
        (_PIXELS * 16, "must lie in 0 to 255"),
        (_PIXELS.astype(str), "must be numbers"),
        (_PIXELS.astype(complex), "must be numbers"),
    ],
)
def test_others_are_refused_in_one_line(frames, message):
    with pytest.raises(ValueError, match=message) as caught:
        as_frames(frames)
    assert "\n" not in str(caught.value)


def test_another_size_is_refused():
    with pytest.raises(ValueError, match=r"takes frames of 8x8 pixels, got shape \(2, 3, 4, 4, 3\)"):
        as_frames(_PIXELS, image_size=8)


def test_arrays_of_files(tmp_path):
    np.save(tmp_path / "film.npy", _PIXELS)
    np.testing.assert_array_equal(read_array(str(tmp_path / "film.npy")), _PIXELS)
    (tmp_path / "damaged.npy").write_bytes((tmp_path / "film.npy").read_bytes()[:200])
    (tmp_path / "empty.npy").touch()
    for name, message in (
        ("film.mp4", "read_film"),
        ("none.npy", "No such file"),
        ("damaged.npy", "cannot read"),
        ("empty.npy", "cannot read"),
    ):
        with pytest.raises(ValueError, match=message) as caught:
            read_array(tmp_path / name)
        assert "\n" not in str(caught.value)
