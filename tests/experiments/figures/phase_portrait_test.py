"""Tests of `experiments.figures.phase_portrait`."""

import jax
import numpy as np
import sklearn.decomposition

from experiments.figures import phase_portrait
from experiments.reporting import style
from hgn_jax import PhaseState
from tests.experiments import tiny_hgn


def test_a_plane_is_recovered():
    """Points of a plane in seven dimensions keep their distances, and the variances along the axes of an ellipse."""
    generator = np.random.default_rng(0)
    flat = generator.standard_normal((400, 2)) * (3.0, 1.0)
    axes, _ = np.linalg.qr(generator.standard_normal((7, 7)))
    projection = phase_portrait.principal_components(5.0 + flat @ axes[:2])
    np.testing.assert_allclose(projection.explained.sum(), 1.0)
    np.testing.assert_allclose(
        np.linalg.norm(np.diff(projection.points, axis=0), axis=1), np.linalg.norm(np.diff(flat, axis=0), axis=1)
    )
    np.testing.assert_allclose(projection.explained, [0.9, 0.1], atol=0.03)


def test_agrees_with_scikit_learn():
    points = np.random.default_rng(1).standard_normal((60, 9)) * np.arange(1, 10)
    projection, expected = phase_portrait.principal_components(points), sklearn.decomposition.PCA(2).fit(points)
    np.testing.assert_allclose(projection.explained, expected.explained_variance_ratio_)
    np.testing.assert_allclose(np.abs(projection.points), np.abs(expected.transform(points)))


def test_equal_points():
    projection = phase_portrait.principal_components(np.ones((5, 4)))
    np.testing.assert_array_equal(projection.points, 0.0)
    np.testing.assert_array_equal(projection.explained, 0.0)


def test_states_and_energies_of_rollouts():
    hgn, params = tiny_hgn.model()
    clips = tiny_hgn.CLIPS
    states, energies = phase_portrait.follow(hgn, params, clips)
    assert (states.shape, energies.shape) == ((5, 3, 64), (5, 3))
    np.testing.assert_array_less(energies.std(axis=0), 0.05 * energies.std(axis=1).min())  # conserved by leapfrog
    start = jax.jit(lambda params, clips: hgn.initial_state(params, hgn.infer(params, clips).mean))(params, clips)
    np.testing.assert_allclose(states[0], np.concatenate([x.reshape(3, -1) for x in start], axis=-1), atol=1e-6)
    end = PhaseState(*(x.reshape(start.q.shape) for x in np.split(states[-1], 2, axis=-1)))
    np.testing.assert_allclose(jax.jit(hgn.hamiltonian(params))(end), energies[-1], rtol=1e-5)
    assert np.abs(states[-1] - states[0]).max() > 1e-3


def test_states_are_coloured_by_energy():
    energies = np.arange(12.0).reshape(4, 3)
    points = np.random.default_rng(0).standard_normal((12, 2))
    projection = phase_portrait.Projection(points, np.array([0.75, 0.125]))
    _, axes = style.subplots()
    phase_portrait.draw_panel(axes, projection, "true energy, units of the system", energies)
    (dots,) = axes.collections
    np.testing.assert_array_equal(dots.get_offsets(), points)
    np.testing.assert_array_equal(dots.get_array(), energies.ravel())
    np.testing.assert_array_equal(axes.lines[0].get_xydata(), points[::3])  # the first of three paths
    np.testing.assert_array_equal(axes.lines[-1].get_xydata(), points[:3])  # the starts
    assert axes.get_xlabel() == "principal component 1 (75% of the variance)"
    assert axes.get_ylabel() == "principal component 2 (12% of the variance)"
