"""Tests of `hgn_jax.metrics.law`."""

import jax.numpy as jnp
import numpy as np
import pytest
import scipy.stats
from absl.testing import parameterized

from data_builders.rendering.scenes import Canvas, distance
from hgn_jax import PhaseState, separable
from hgn_jax.metrics import law
from hgn_jax.physics import systems
from tests.hgn_jax.float64 import Float64TestCase
from tests.hgn_jax.metrics.pictured import pictured

_UNITS = {"length": 0.63, "mass": 1.7, "time": 0.8}


def _states(n=50, spread=2.0):
    q, p = np.random.default_rng(0).uniform(-spread, spread, size=(2, n, 1))
    return PhaseState(q, p)


class LawTest(Float64TestCase):
    def test_canvas_scale_is_that_of_the_renderer(self):
        """The pixels at the edges are nearest to points that lie at ±3 in the state's units."""
        canvas = Canvas("plane", half_width=2.5, disc_radius=0.4, colours=((0, 0, 0),), image_size=16)
        corner = 3.0 * law.canvas_scale(3.0, canvas.half_width, canvas.image_size)
        pixels = np.asarray(distance(canvas, jnp.array([[corner, -corner]])))[0]
        self.assertAlmostEqual(pixels[-1, -1], 0.0, places=5)

    @parameterized.parameters((systems.mass_spring(), 2.0), (systems.pendulum(m=0.7, l=1.4), 0.7 * 1.4**2))
    def test_inverse_masses(self, system, inertia):
        inertia = system.constants["m"] if system.name == "mass_spring" else inertia
        hamiltonian, states = pictured(system, _states(), **_UNITS)
        expected = _UNITS["mass"] * _UNITS["time"] / _UNITS["length"] / inertia
        np.testing.assert_allclose(law.inverse_masses(hamiltonian, states), [expected], rtol=1e-12)

    def test_masses_of_a_kinetic_energy_that_is_not_quadratic_are_those_of_the_visited_momenta(self):
        hamiltonian = separable(lambda p: (p**4).sum(axis=-1) / 12.0, lambda q: q.sum(axis=-1))
        states = PhaseState(np.zeros((3, 2)), np.array([[1.0, 0.0], [2.0, 1.0], [3.0, 0.0]]))
        np.testing.assert_allclose(law.inverse_masses(hamiltonian, states), [14.0 / 3.0, 1.0 / 3.0])

    def test_a_pendulum_is_read_off_in_any_units(self):
        system, angles = systems.pendulum(m=0.7, g=2.0, l=1.4), _states()
        hamiltonian, states = pictured(system, angles, **_UNITS)
        energy = np.asarray(law.potential(hamiltonian)(states.q))
        self.assertAlmostEqual(law.linear_fit(1.0 - np.cos(angles.q[:, 0]), energy).r_squared, 1.0, places=12)
        frequency = law.small_angle_frequency(hamiltonian, states.q) / _UNITS["time"]
        self.assertAlmostEqual(frequency, np.sqrt(2.0 * 2.0 / 1.4), places=4)  # the minimum is found on a grid

    def test_a_potential_without_a_minimum_has_no_frequency(self):
        hamiltonian, states = pictured(systems.pendulum(), _states(), **_UNITS)
        with pytest.raises(ValueError, match="no minimum within the visited range"):
            law.small_angle_frequency(hamiltonian, np.abs(states.q) + 0.1)

    def test_a_spring_is_read_off_in_any_units(self):
        displacement = _states()
        hamiltonian, states = pictured(systems.mass_spring(k=3.0, m=0.7), displacement, **_UNITS)
        force = law.spring_force(hamiltonian, states, displacement.q[:, 0], _UNITS["time"])
        self.assertAlmostEqual(force.r_squared, 1.0, places=12)
        self.assertAlmostEqual(force.frequency, np.sqrt(3.0 / 0.7), places=10)
        np.testing.assert_allclose(force.acceleration, -3.0 / 0.7 * displacement.q[:, 0], rtol=1e-9)

    def test_a_spring_is_found_in_any_direction_of_the_plane(self):
        """A state may have more coordinates than the system: those of a point that moves along a line."""
        direction = np.array([0.6, -0.8])
        displacement = _states().q
        hamiltonian = separable(lambda p: (p**2).sum(axis=-1) / 1.4, lambda q: 1.5 * (q**2).sum(axis=-1))
        states = PhaseState(displacement * direction, displacement * direction)
        force = law.spring_force(hamiltonian, states, -displacement[:, 0], 1.0)
        self.assertAlmostEqual(force.r_squared, 1.0, places=12)
        self.assertAlmostEqual(force.frequency, np.sqrt(3.0 / 0.7), places=10)
        np.testing.assert_allclose(force.acceleration, 3.0 / 0.7 * displacement[:, 0], rtol=1e-9)

    def test_a_force_that_pushes_away_is_no_spring(self):
        hamiltonian = separable(lambda p: (p**2).sum(axis=-1), lambda q: -(q**2).sum(axis=-1))
        with pytest.raises(ValueError, match="does not pull back"):
            law.spring_force(hamiltonian, _states(), _states().q[:, 0], 1.0)

    def test_linear_fit_is_that_of_scipy(self):
        x, noise = np.random.default_rng(1).normal(size=(2, 40))
        y = 2.0 - 3.0 * x + noise
        expected = scipy.stats.linregress(x, y)
        fit = law.linear_fit(x, y)
        np.testing.assert_allclose(fit, [expected.slope, expected.intercept, expected.rvalue**2])

    def test_potential_per_mass_is_that_of_the_motion(self):
        """In units of length and time the potential of a spring is ½ ω² x², whatever the masses."""
        displacement = _states()
        hamiltonian, states = pictured(systems.mass_spring(k=3.0, m=0.7), displacement, **_UNITS)
        grid = np.linspace(-1.0, 1.0, 5)[:, None]
        energy = law.potential_per_mass(hamiltonian, states, grid, _UNITS["length"], _UNITS["time"])
        np.testing.assert_allclose(energy, 0.5 * 3.0 / 0.7 * (_UNITS["length"] * grid[:, 0]) ** 2, atol=1e-12)

    def test_arc_length_of_a_circle(self):
        angles = np.linspace(0.0, np.pi, 2001)
        length = law.arc_length(2.0 * np.stack([np.sin(angles), np.cos(angles)], axis=-1))
        np.testing.assert_allclose(length, 2.0 * angles, rtol=1e-5)
