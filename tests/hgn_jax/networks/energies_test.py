"""Tests of `hgn_jax.networks.energies`."""

import functools

import chex
import jax
import jax.numpy as jnp
import numpy as np
from absl.testing import absltest, parameterized
from jax.test_util import check_grads

from hgn_jax.networks.blocks import ConvLayer
from hgn_jax.networks.energies import (
    AUTHORS_HAMILTONIAN,
    confined,
    conv_energy,
    learned_masses,
    metric_kinetic,
    mlp_energy,
    pairwise_energy,
    quadratic_kinetic,
    rods_kinetic,
)
from hgn_jax.physics import systems
from hgn_jax.physics.phase_space import PhaseState
from tests.hgn_jax.float64 import Float64TestCase
from tests.hgn_jax.models.random_params import random_params

_KEY = jax.random.PRNGKey(0)


def _convolve(x, layer):
    """A SAME convolution of stride 1 written as a sum over shifts."""
    w, b = np.asarray(layer["w"]), np.asarray(layer["b"])
    reach = w.shape[0] // 2
    padded = np.pad(np.asarray(x), ((0, 0), (reach, reach), (reach, reach), (0, 0)))
    height, width = x.shape[1:3]
    return b + sum(
        padded[:, i : i + height, j : j + width] @ w[i, j] for i in range(w.shape[0]) for j in range(w.shape[1])
    )


class MultipliedOutTest(Float64TestCase, parameterized.TestCase):
    @parameterized.named_parameters(
        ("paper", [ConvLayer(5), ConvLayer(4), ConvLayer(1)]),
        ("authors", AUTHORS_HAMILTONIAN),
    )
    def test_equals_the_convolutions_in_value_and_in_derivatives(self, layers):
        energy = conv_energy(layers, "softplus", gain=2.0, output_gain=1.0)
        x = jax.random.normal(_KEY, (3, 4, 4, 2), jnp.float64)
        params = random_params(energy, x)

        @functools.partial(jax.jit, static_argnums=0)
        def derivatives(function, params):
            field = lambda params, x: jax.grad(lambda x: jnp.sum(function(params)(x)))(x)
            return function(params)(x), field(params, x), jax.grad(lambda p: jnp.sum(field(p, x) ** 2))(params)

        chex.assert_trees_all_close(
            derivatives(energy.multiplied_out, params),
            derivatives(lambda params: functools.partial(energy.apply, params), params),
            rtol=1e-10,
        )


class ConvEnergyTest(absltest.TestCase):
    def test_is_one_number_per_example_summed_over_space(self):
        network = conv_energy([ConvLayer(5), ConvLayer(1, kernel=1)], "softplus", 2.0, 1.0)
        x = jax.random.normal(_KEY, (3, 4, 4, 2))
        params = jax.jit(network.init)(_KEY, x)
        energy = jax.jit(network.apply)(params, x)
        chex.assert_shape(energy, (3,))
        hidden = jax.nn.softplus(_convolve(x, params["convolution_0"]))
        np.testing.assert_allclose(energy, _convolve(hidden, params["energy"]).sum((1, 2, 3)), rtol=1e-5)

    def test_output_is_linear_and_takes_both_signs(self):
        network = conv_energy([ConvLayer(8), ConvLayer(1)], "softplus", 2.0, 6.0)
        x = jax.random.normal(_KEY, (16, 4, 4, 6))
        energies = jax.jit(jax.vmap(lambda key: network.apply(network.init(key, x), x)))(jax.random.split(_KEY, 6))
        self.assertLess(energies.min(), 0)
        self.assertGreater(energies.max(), 0)

    def test_authors_hamiltonian_reduces_the_grid_to_one_cell(self):
        network = conv_energy(AUTHORS_HAMILTONIAN, "softplus", 2.0, 1.0)
        x = jax.ShapeDtypeStruct((2, 4, 4, 32), jnp.float32)
        params = jax.eval_shape(network.init, _KEY, x)
        chex.assert_shape(jax.eval_shape(network.apply, params, x), (2,))
        shapes = [layer["w"].shape for layer in params.values()]
        self.assertCountEqual(shapes, [(3, 3, 32, 32), (2, 2, 32, 64), (2, 2, 64, 64), (2, 2, 64, 64), (2, 2, 64, 1)])


class MLPEnergyTest(parameterized.TestCase):
    @parameterized.parameters((6,), (4, 4, 6))
    def test_sees_all_numbers_of_a_state(self, *shape):
        network = mlp_energy((7, 5), "swish", 2.0, 1.0)
        x = jax.random.normal(_KEY, (3, *shape))
        params = jax.jit(network.init)(_KEY, x)
        hidden = np.asarray(x).reshape(3, -1)
        for layer in ("linear_0", "linear_1"):
            hidden = hidden @ np.asarray(params[layer]["w"]) + np.asarray(params[layer]["b"])
            hidden = hidden / (1.0 + np.exp(-hidden))
        expected = hidden @ np.asarray(params["output"]["w"]) + np.asarray(params["output"]["b"])
        np.testing.assert_allclose(jax.jit(network.apply)(params, x), expected[:, 0], rtol=1e-4, atol=1e-5)


def _gradient(network, params, x):
    return jax.jit(jax.grad(lambda x: jnp.sum(network.apply(params, x))))(x)


class QuadraticKineticTest(Float64TestCase):
    @parameterized.parameters((1, 1), (2, 1), (2, 2), (3, 2))
    def test_velocity_is_momentum_over_mass(self, num_masses, coordinates_per_mass):
        network, rng = quadratic_kinetic(num_masses), np.random.default_rng(0)
        p = rng.normal(size=(4, num_masses * coordinates_per_mass))
        params = network.init(_KEY, p)
        np.testing.assert_array_equal(learned_masses(params), np.ones(num_masses))
        params = random_params(network, p)
        masses = learned_masses(params)
        self.assertGreater(masses.min(), 0.0)
        mass_of_each = np.concatenate([np.full(coordinates_per_mass, m) for m in masses])
        np.testing.assert_allclose(_gradient(network, params, p), p / mass_of_each, rtol=1e-12)
        np.testing.assert_allclose(network.apply(params, p), 0.5 * (p**2) @ (1.0 / mass_of_each), rtol=1e-12)


class MetricKineticTest(Float64TestCase):
    @parameterized.parameters(False, True)
    def test_momentum_is_that_of_the_velocity(self, angles):
        """dT/dp of the momentum is the velocity, T is quadratic in p and positive, and angles may go round."""
        kinetic, (q, v) = metric_kinetic(2, (5,), "swish", angles), np.random.default_rng(0).normal(size=(2, 4, 2))
        params = random_params(kinetic, q, gain=0.3)
        energy = jax.jit(kinetic.apply)
        p = jax.jit(kinetic.momentum)(params, q, v)
        self.assertGreater(np.abs(p - v).max(), 0.05)
        velocity = jax.jit(jax.grad(lambda p: jnp.sum(energy(params, PhaseState(q, p)))))(p)
        np.testing.assert_allclose(velocity, v, rtol=1e-2)
        at_p, at_twice_p = (energy(params, PhaseState(q, x)) for x in (p, 2 * p))
        self.assertGreater(at_p.min(), 0.0)
        np.testing.assert_allclose(at_twice_p, 4 * at_p, rtol=1e-12)
        self.assertEqual(np.allclose(energy(params, PhaseState(q + 2 * np.pi, p)), at_p), angles)


class RodsKineticTest(Float64TestCase):
    @parameterized.parameters((0.5, 0.5, 1.0, 1.0), (0.3, 2.0, 1.5, 0.4))
    def test_is_that_of_a_double_pendulum_with_the_right_inertia(self, m1, m2, l1, l2):
        rng = np.random.default_rng(0)
        q, p = rng.normal(scale=3.0, size=(2, 20, 2))
        inertia = np.array([[(m1 + m2) * l1**2, m2 * l1 * l2], [m2 * l1 * l2, m2 * l2**2]])
        params = {"inertia_factor": np.linalg.cholesky(inertia)[np.tril_indices(2)]}
        expected = systems.double_pendulum(m1, m2, g=0.0, l1=l1, l2=l2).hamiltonian(PhaseState(q, p))
        np.testing.assert_allclose(jax.jit(rods_kinetic(2).apply)(params, PhaseState(q, p)), expected, rtol=2e-2)

    @parameterized.parameters(1, 2, 3)
    def test_momentum_is_that_of_the_velocity(self, num_rods):
        kinetic, (q, v) = rods_kinetic(num_rods), np.random.default_rng(0).normal(size=(2, 4, num_rods))
        params = random_params(kinetic, q)
        p = jax.jit(kinetic.momentum)(params, q, v)
        velocity = jax.jit(jax.grad(lambda p: jnp.sum(kinetic.apply(params, PhaseState(q, p)))))(p)
        np.testing.assert_allclose(velocity, v, rtol=1e-9)
        self.assertGreater(kinetic.apply(params, PhaseState(q, p)).min(), 0.0)

    def test_starts_as_equal_rods_with_equal_masses_at_the_joints(self):
        kinetic = rods_kinetic(2)
        state = PhaseState(*np.random.default_rng(0).normal(size=(2, 5, 2)))
        expected = systems.double_pendulum(g=0.0).hamiltonian(state)
        np.testing.assert_allclose(kinetic.apply(kinetic.init(_KEY, state.q), state), expected, rtol=2e-3)


class ConfinedTest(Float64TestCase):
    def test_adds_springs_to_an_energy(self):
        inner = mlp_energy((5,), "swish", 2.0, 1.0)
        network, rng = confined(inner, 0.3), np.random.default_rng(0)
        q, stiffness = rng.normal(size=(4, 3)), rng.uniform(0.1, 2.0, 3)
        np.testing.assert_allclose(jnp.exp(jax.jit(network.init)(_KEY, q)["log_stiffness"]), np.full(3, 0.3))
        params = random_params(network, q) | {"log_stiffness": jnp.log(stiffness)}
        springs = jax.jit(network.apply)(params, q) - jax.jit(inner.apply)(params["energy"], q)
        np.testing.assert_allclose(springs, 0.5 * np.sum(stiffness * q**2, axis=1), rtol=1e-12)
        forces = _gradient(network, params, q) - _gradient(inner, params["energy"], q)
        np.testing.assert_allclose(forces, stiffness * q, rtol=1e-12)


@parameterized.parameters(2, 3)
class PairwiseEnergyTest(Float64TestCase):
    def _made(self, num_points):
        network = pairwise_energy(num_points, (6,), "swish", 2.0, 1.0)
        q = np.random.default_rng(0).normal(size=(4, num_points, 2))
        return network, random_params(network, q.reshape(4, -1)), q

    def test_is_the_same_wherever_the_points_are_and_however_they_are_turned(self, num_points):
        network, params, q = self._made(num_points)
        angle = 0.7
        rotation = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        energy = jax.jit(lambda q: network.apply(params, q.reshape(4, -1)))
        self.assertGreater(np.ptp(energy(q)), 1e-2)
        np.testing.assert_allclose(energy(q @ rotation.T + np.array([3.0, -1.0])), energy(q), rtol=1e-12)
        np.testing.assert_allclose(energy(q * [1.0, -1.0]), energy(q), rtol=1e-12)

    def test_action_is_reaction(self, num_points):
        """Forces on the points sum to zero, and so do their torques."""
        network, params, q = self._made(num_points)
        forces = -_gradient(network, params, q.reshape(4, -1)).reshape(q.shape)
        self.assertGreater(np.abs(forces).min(axis=0).max(), 1e-3)
        np.testing.assert_allclose(forces.sum(axis=1), 0.0, atol=1e-13)
        torques = q[..., 0] * forces[..., 1] - q[..., 1] * forces[..., 0]
        np.testing.assert_allclose(torques.sum(axis=1), 0.0, atol=1e-13)

    def test_every_pair_has_its_own_law(self, num_points):
        """Exchanging two points changes the energy, unless they are the only pair."""
        network, params, q = self._made(num_points)
        energy, exchanged = (jax.jit(network.apply)(params, points.reshape(4, -1)) for points in (q, q[:, ::-1]))
        self.assertEqual(np.allclose(energy, exchanged), num_points == 2)

    def test_derivatives_are_those_of_differences(self, num_points):
        """Forces and their slopes, and how they change with the parameters, forwards and backwards."""
        network, params, q = self._made(num_points)
        force = jax.grad(lambda params, q: network.apply(params, q).sum(), argnums=1)
        check_grads(jax.jit(force), (params, q.reshape(4, -1)), order=1, rtol=1e-6)

    def test_forces_are_finite_where_points_meet(self, num_points):
        network, params, _ = self._made(num_points)
        together = jnp.zeros((4, 2 * num_points))
        chex.assert_tree_all_finite(_gradient(network, params, together))
