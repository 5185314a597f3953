"""Tests of `experiments.figures.integrator`."""

import numpy as np
import pytest

from experiments.figures import integrator
from experiments.reporting import style
from hgn_jax.physics import systems

_TRIANGLE = np.array([[0.1, 0.2], [0.9, 0.3], [0.4, 0.8]])


def test_known_areas():
    square = np.array([[0, 0], [2, 0], [2, 3], [0, 3]], float)
    assert integrator.area(square) == 6.0
    assert integrator.area(square[::-1] + 7.0) == 6.0  # in the other sense of rotation
    notched = np.array([[0, 0], [2, 0], [2, 2], [1, 1], [0, 2]], float)  # a square without a triangle
    np.testing.assert_allclose(integrator.area(np.stack([notched, 2 * notched])), [3.0, 12.0])
    angles = np.linspace(0, 2 * np.pi, 1000, endpoint=False)
    disc = np.stack([np.cos(angles), np.sin(angles)], axis=-1)
    np.testing.assert_allclose(integrator.area(disc), np.pi, atol=1e-4)


@pytest.mark.parametrize("k, m, dt", [(2.0, 0.5, 0.125), (1.0, 1.0, 0.3), (5.0, 0.2, 0.05)])
def test_area_over_time(k, m, dt):
    """A step of Euler's method is the matrix [[1, dt / m], [-k dt, 1]]; a step of leapfrog has determinant 1."""
    system = systems.mass_spring(k=k, m=m)
    factor = np.linalg.det([[1.0, dt / m], [-k * dt, 1.0]])
    np.testing.assert_allclose(integrator.euler_factor(system, dt), factor, rtol=1e-12)
    for name, expected in (("euler", factor ** np.arange(26)), ("leapfrog", np.ones(26))):
        path = integrator.carry(_TRIANGLE, name, dt, 25, system)
        assert (path.shape, path.dtype) == ((26, 3, 2), np.float64)
        np.testing.assert_array_equal(path[0], _TRIANGLE)
        areas = integrator.area(path) / integrator.area(_TRIANGLE)
        np.testing.assert_allclose(areas, expected, rtol=1e-12, err_msg=name)


def test_leapfrog_stays_near_the_true_path():
    """The true path turns clockwise, by sqrt(k / m) dt per step, in the plane of sqrt(k m) q and p."""
    system, dt = systems.mass_spring(k=2.0, m=0.5), 0.01
    path = integrator.carry(_TRIANGLE, "leapfrog", dt, 50, system)
    angle = 2.0 * dt * 50
    turned = _TRIANGLE @ np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    np.testing.assert_allclose(path[-1], turned, atol=1e-4)


def test_caption():
    caption = integrator.draw({}).caption
    assert "1 + dt² k/m = 1.0625, a factor of 3.3619 in 20 steps" in caption  # 1.0625^20


def test_schematic_has_positions_at_whole_and_momenta_at_half_steps():
    _, axes = style.subplots()
    integrator.draw_schematic(axes, num_steps=3)
    times = {line.get_label(): list(line.get_xdata()) for line in axes.lines}
    assert times["position"] == [0, 1, 2, 3]
    assert times["momentum at a half step"] == [0.5, 1.5, 2.5]
    assert times["momentum at a whole step"] == [0, 1, 2, 3]
