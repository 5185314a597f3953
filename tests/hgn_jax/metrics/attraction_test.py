"""Tests of `hgn_jax.metrics.attraction`."""

import numpy as np
import pytest
from absl.testing import parameterized

from hgn_jax import PhaseState
from hgn_jax.metrics import attraction
from hgn_jax.metrics.law import potential
from hgn_jax.physics import systems
from tests.hgn_jax.float64 import Float64TestCase
from tests.hgn_jax.metrics.pictured import pictured
from tests.hgn_jax.physics.newton import gravity_force

_LENGTH, _MASS, _TIME = 0.63, 1.7, 0.8


def _states(num_bodies, masses=1.0, n=60):
    """States whose centre of mass is at rest in the origin."""
    rng = np.random.default_rng(num_bodies)
    masses = np.broadcast_to(masses, num_bodies)[:, None]
    q, velocity = rng.normal(size=(2, n, num_bodies, 2))
    q, velocity = (x - np.sum(masses * x, axis=1, keepdims=True) / masses.sum() for x in (q, velocity))
    return PhaseState(q, masses * velocity)


class AttractionTest(Float64TestCase):
    @parameterized.parameters((2, 1.0), (3, 1.0), (2, (1.0, 3.0)), (3, (1.0, 2.0, 0.5)))
    def test_gravity_is_read_off_in_any_units(self, num_bodies, masses):
        system = systems.n_body(num_bodies, np.asarray(masses), g=1.3)
        hamiltonian, states = pictured(system, _states(num_bodies, masses), _LENGTH, _MASS, _TIME)
        motions = attraction.pair_motions(hamiltonian, states, _LENGTH, _TIME)
        masses = np.broadcast_to(masses, num_bodies)
        self.assertEqual([motion.bodies for motion in motions], [(0, 1), (0, 2), (1, 2)][: len(motions)])
        for motion in motions:
            pair = masses[list(motion.bodies)]
            law = attraction.power_law(motion.distance, motion.acceleration)
            self.assertAlmostEqual(law.exponent, -2.0, places=10)
            self.assertAlmostEqual(law.flatness, 0.0, places=10)
            self.assertAlmostEqual(law.strength, 1.3 * pair.mean(), places=10)
            self.assertAlmostEqual(motion.mass_ratio, pair.max() / pair.min(), places=10)

    def test_forces_are_divided_among_three_bodies(self):
        """G m_1 m_2 of each pair comes out of Newton's forces on the three bodies."""
        masses = np.array([1.0, 2.0, 0.5])
        places = _states(3, masses).q
        forces = np.stack([gravity_force(q, masses, 1.0) for q in places])
        pairs = attraction.pair_forces(places, forces)
        self.assertGreater(len(pairs.distance), 40)
        products = np.broadcast_to([2.0, 0.5, 1.0], pairs.distance.shape)
        np.testing.assert_allclose(pairs.attraction * pairs.distance**2, products, rtol=1e-9)

    def test_states_with_all_bodies_in_a_line_are_left_out(self):
        places = np.array([[[0.0, 0.0], [1.0, 0.0], [3.0, 0.0]], [[0.0, 0.0], [1.0, 0.0], [0.5, 1.0]]])
        pairs = attraction.pair_forces(places, np.ones_like(places))
        np.testing.assert_allclose(pairs.distance, [[1.0, np.sqrt(1.25), np.sqrt(1.25)]])

    @parameterized.parameters(2, 3)
    def test_a_harmonic_confinement_pulls_in_pairs_and_can_be_told_from_them(self, num_bodies):
        """A force -k q_i on bodies of equal mass about their centre is k / n times the distance, between all pairs."""
        stiffness, states = 0.4, _states(num_bodies)
        system = systems.n_body(num_bodies)
        free, states = pictured(system, states, 1.0, 1.0, 1.0)
        confined = lambda state: free(state) + 0.5 * stiffness * (state.q**2).sum(axis=-1)
        for motion in attraction.pair_motions(confined, states, 1.0, 1.0):
            expected = motion.distance**-2.0 + stiffness / num_bodies * motion.distance
            np.testing.assert_allclose(motion.acceleration, expected, rtol=1e-9)
        own = attraction.own_pair_forces(potential(confined), states.q.reshape(-1, num_bodies, 2))
        np.testing.assert_allclose(own.attraction, own.distance**-2.0, rtol=1e-9)

    @parameterized.parameters(-1.5, -2.0, -3.0)
    def test_exponent_and_flatness_of_a_power(self, exponent):
        distance = np.linspace(1.0, 2.0, 2001)
        law = attraction.power_law(distance, 0.7 * distance**exponent)
        self.assertAlmostEqual(law.exponent, exponent, places=9)
        np.testing.assert_allclose(law.visited, (1.02, 1.98))
        product = lambda r: r ** (exponent + 2.0)
        steepest = np.abs(product(np.array([1.15, 1.85])) / product(np.linspace(1.1, 1.9, 1001)).mean() - 1.0).max()
        self.assertAlmostEqual(law.flatness, steepest, delta=1e-3)  # bins of 0.1, whose means are near their middles

    def test_a_few_states_at_the_ends_do_not_count(self):
        distance = np.linspace(1.0, 2.0, 2001)
        force = distance**-2.0
        force[:20], force[-20:] = 100.0, -1.0
        self.assertAlmostEqual(attraction.power_law(distance, force).exponent, -2.0, places=9)

    def test_a_force_that_repels_is_no_law(self):
        distance = np.linspace(1.0, 2.0, 101)
        with pytest.raises(ValueError, match="attracts in only 0% of the states"):
            attraction.power_law(distance, -1.0 / distance)
