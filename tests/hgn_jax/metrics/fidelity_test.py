"""Tests of `hgn_jax.metrics.fidelity`, on drawn discs."""

import numpy as np
import pytest

from hgn_jax.metrics.fidelity import fidelity, find_shapes

_BACKGROUND = np.array([0.3, 0.35, 0.4])
_COLOURS = np.array([[0.9, 0.8, 0.2], [0.3, 0.7, 0.9]])


def _draw(centres, brightness=1.0, radius=4.0):
    """Images of soft discs at `centres` `[n, discs, 2]`, in pixels."""
    y, x = np.mgrid[:32, :32]
    images = np.broadcast_to(_BACKGROUND, (len(centres), 32, 32, 3)).copy()
    for disc, colour in zip(np.moveaxis(centres, 1, 0), _COLOURS, strict=False):
        distance = np.hypot(x - disc[:, None, None, 0], y - disc[:, None, None, 1])
        alpha = brightness / (1 + np.exp(np.clip(2 * (distance - radius), -50, 50)))
        images += alpha[..., None] * (colour - images)
    return images


@pytest.fixture(scope="module")
def centres():
    """Two discs at random places, which sometimes overlap."""
    return np.random.default_rng(0).uniform(5, 26, (300, 2, 2))


@pytest.fixture(scope="module")
def data(centres):
    return _draw(centres)


def test_images_like_the_data_are_faithful(data, centres):
    assert fidelity(data[:150], data[150:], _BACKGROUND) > 0.98
    touching = centres[:10].copy()
    touching[:, 1] = touching[:, 0] + 4
    assert fidelity(_draw(touching), data, _BACKGROUND) > 0.9


def test_noise_and_blur_in_the_data_are_no_fault(centres):
    noise = 0.015 * np.random.default_rng(1).standard_normal((300, 32, 32, 3))
    blurred = _draw(centres, brightness=0.4, radius=5.0)
    assert fidelity(blurred[:150] + noise[:150], blurred[150:], _BACKGROUND) > 0.95


@pytest.mark.parametrize("fault", ["one disc", "ghosts", "empty", "nan", "four discs", "large discs"])
def test_images_unlike_the_data_are_not(data, centres, fault):
    apart = np.array([[[6.0, 6.0], [25.0, 25.0]]] * 20)
    images = {
        "one disc": _draw(apart[:, :1]),
        "ghosts": _draw(apart, brightness=0.5),
        "empty": np.broadcast_to(_BACKGROUND, (20, 32, 32, 3)),
        "nan": np.full((20, 32, 32, 3), np.nan),
        "four discs": np.minimum(_draw(apart), np.inf) + _draw(apart[:, :, ::-1] * [1, -1] + [0, 31]) - _BACKGROUND,
        "large discs": _draw(apart, radius=7.0),
    }[fault]
    if fault == "one disc":  # as many shapes as where two overlap, but too little of them
        reference = data[find_shapes(data, _BACKGROUND, 0.15).count == 2]
        assert fidelity(images, reference, _BACKGROUND) == 0
    else:
        assert fidelity(images, data, _BACKGROUND) == 0


def test_shapes_are_counted_and_specks_are_not():
    images = _draw(np.array([[[6.0, 6.0], [25.0, 25.0]], [[6.0, 6.0], [9.0, 9.0]]]))
    images[0, 0, 31] = 1.0
    shapes = find_shapes(images, _BACKGROUND, 0.15)
    np.testing.assert_array_equal(shapes.count, [2, 1])
    np.testing.assert_allclose(shapes.peak, [0.7, 0.6], atol=0.05)
