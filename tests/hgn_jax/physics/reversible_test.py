"""Tests of the reversible adjoint: gradients, their memory, and what is refused."""

import functools

import chex
import jax
import jax.numpy as jnp
import jax.test_util
import numpy as np
import pytest
import scipy.linalg
from absl.testing import parameterized

from hgn_jax import PhaseState, rollout, separable, systems
from hgn_jax.physics.integrators import INTEGRATORS
from tests.hgn_jax.float64 import Float64TestCase

_SPLITTINGS = [name for name, method in INTEGRATORS.items() if method.kicks]
_RNG = np.random.default_rng(0)
_PARAMS = {"inner": _RNG.normal(size=(3, 8)), "outer": _RNG.normal(size=8), "mass": np.array([1.0, 2.0, 0.5])}
_START = PhaseState(*_RNG.normal(size=(2, 4, 3)))


def _loss(params, start, dt, adjoint, **options):
    """A loss of all recorded states of a rollout whose energies close over parameters, as those of networks do."""
    potential = lambda q: jnp.tanh(q @ params["inner"]) @ params["outer"]
    kinetic = lambda p: jnp.sum(p**2 / params["mass"], axis=-1) / 2.0
    path = rollout(separable(kinetic, potential), start, dt, adjoint=adjoint, **options)
    return jnp.mean(path.q**2) + jnp.sum(jnp.sin(path.p[-1])) + jnp.sum(path.q[2] * path.p[1])


def _gradients(dtype, dt, **options):
    arguments = jax.tree.map(lambda x: jnp.asarray(x, dtype), (_PARAMS, _START, dt))
    both = [functools.partial(_loss, adjoint=adjoint, **options) for adjoint in ("direct", "reversible")]
    return jax.jit(lambda *args: [jax.value_and_grad(loss, (0, 1, 2))(*args) for loss in both])(*arguments)


class GradientTest(Float64TestCase):
    @parameterized.parameters(*((name, 3) for name in _SPLITTINGS), ("leapfrog", 1))
    @pytest.mark.slow
    def test_equals_that_of_automatic_differentiation(self, integrator, substeps):
        """For parameters, both halves of the state, and a step for each example."""
        options = {"num_steps": 6, "integrator": integrator, "substeps": substeps}
        dt = np.array([0.1, -0.2, 0.05, 0.3])
        (value, direct), (same_value, reversible) = _gradients(np.float64, dt, **options)
        self.assertAlmostEqual(value, same_value, places=13)
        chex.assert_trees_all_close(reversible, direct, rtol=1e-10, atol=1e-10)

    def test_in_float32(self):
        (_, direct), (_, reversible) = _gradients(np.float32, 0.05, num_steps=20, substeps=10)
        chex.assert_trees_all_close(reversible, direct, rtol=1e-5, atol=1e-5)

    def test_is_that_of_the_exact_solution(self):
        """The derivative of a mass on a spring with respect to its start is a matrix exponential."""
        stiffness, mass, time = 2.0, 0.5, 1.5
        system = systems.mass_spring(stiffness, mass)

        def last_position(q, p):
            start, options = PhaseState(q, p), {"substeps": 400, "adjoint": "reversible"}
            return rollout(system.hamiltonian, start, time, 1, "yoshida4", **options).q[-1, 0]

        exact = scipy.linalg.expm(time * np.array([[0.0, 1.0 / mass], [-stiffness, 0.0]]))
        gradient = jax.jit(jax.grad(last_position, (0, 1)))(jnp.ones(1), jnp.ones(1))
        np.testing.assert_allclose(np.concatenate(gradient), exact[0], rtol=1e-8)

    @pytest.mark.slow
    def test_second_derivatives_are_finite_differences(self):
        """The gradient of a gradient, as in a penalty on it."""

        def penalty(stiffness, q):
            hamiltonian = separable(lambda p: jnp.sum(p**2, -1), lambda q: jnp.sum(jnp.cos(stiffness * q), -1))
            run = lambda q: rollout(hamiltonian, PhaseState(q, q), 0.1, 2, substeps=2, adjoint="reversible")
            return jnp.sum(jax.grad(lambda q: jnp.sum(run(q).q[-1]))(q) ** 2)

        arguments = (jnp.array(1.3), jnp.array([[0.4], [-0.7]]))
        jax.test_util.check_grads(jax.jit(penalty), arguments, order=1, modes=["rev"], atol=1e-5, rtol=1e-5)

    @pytest.mark.slow
    def test_passes_through_compilation_and_batching_in_any_order(self):
        """With an index among what the potential closes over: it has no gradient."""

        def loss(q, index, factors):
            potential = lambda q: jnp.sum(factors[index] * q**4, axis=-1)
            hamiltonian = separable(lambda p: jnp.sum(p**2, -1), potential)
            return jnp.sum(rollout(hamiltonian, PhaseState(q, q), 0.1, 2, adjoint="reversible").q[-1])

        q, indices, factors = jnp.full((2, 1), 0.7), jnp.array([1, 0]), jnp.array([1.0, 2.0])
        gradient = lambda f: jax.grad(f, (0, 2))
        expected = [gradient(loss)(q, index, factors) for index in indices]
        for transformed in (jax.jit(gradient(loss)), gradient(jax.jit(loss))):
            chex.assert_trees_all_close([transformed(q, index, factors) for index in indices], expected)
        batched = jax.vmap(gradient(loss), (None, 0, None))(q, indices, factors)
        chex.assert_trees_all_close(batched, jax.tree.map(lambda *x: jnp.stack(x), *expected))

    @pytest.mark.slow
    def test_a_state_may_be_a_pytree(self):
        def loss(start, adjoint):
            energy = lambda x: jnp.sum(x["a"] ** 4, -1) + x["b"] ** 2
            path = rollout(separable(energy, energy), start, jnp.array([0.1, 0.2]), 3, substeps=2, adjoint=adjoint)
            return jnp.sum(path.q["a"] ** 2) + jnp.sum(path.p["b"])

        start = PhaseState(*({"a": jnp.asarray(x[:2]), "b": jnp.asarray(x[2:, 0])} for x in _START))
        direct, reversible = (jax.grad(loss)(start, adjoint) for adjoint in ("direct", "reversible"))
        chex.assert_trees_all_close(reversible, direct, rtol=1e-12)

    def test_no_steps_have_no_gradient(self):
        gradient = jax.jit(jax.grad(lambda q: jnp.sum(_run(q, num_steps=0).q ** 2)))(jnp.ones((2, 1)))
        np.testing.assert_array_equal(gradient, 2.0 * np.ones((2, 1)))


def _run(q, num_steps, adjoint="reversible", **options):
    return rollout(systems.pendulum().hamiltonian, PhaseState(q, q), 0.01, num_steps, adjoint=adjoint, **options)


def _bytes(adjoint, **options):
    """Memory of the compiled gradient of a rollout of 1000 pendulums, beside arguments and results."""
    loss = lambda q: jnp.sum(_run(q, adjoint=adjoint, **options).q[-1])
    return jax.jit(jax.grad(loss)).lower(jnp.ones((1000, 1))).compile().memory_analysis().temp_size_in_bytes


class MemoryTest(Float64TestCase):
    def test_does_not_grow_with_the_substeps(self):
        few, many = (_bytes("reversible", num_steps=1, substeps=substeps) for substeps in (10, 10_000))
        self.assertLess(many, 1.1 * few)
        self.assertGreater(_bytes("direct", num_steps=1, substeps=10_000), 100 * many)

    def test_of_recorded_steps_is_that_of_the_path_and_its_cotangent(self):
        few, many = (_bytes("reversible", num_steps=num_steps) for num_steps in (10, 1000))
        size_of_a_state = 2 * 1000 * np.dtype(np.float64).itemsize
        self.assertLess(many - few, 2.1 * 990 * size_of_a_state)


class RefusalTest(Float64TestCase):
    @parameterized.parameters(
        ({"integrator": "rk4"}, r"splitting method \(symplectic_euler, leapfrog, yoshida4\), got rk4"),
        ({"integrator": "euler"}, "got euler"),
        ({"friction": 0.1}, "without friction"),
        ({"hamiltonian": systems.double_pendulum().hamiltonian}, r"separable Hamiltonian T\(p\) \+ V\(q\)"),
    )
    def test_what_cannot_be_reversed_is_refused_in_one_line(self, options, message):
        arguments = {"hamiltonian": systems.three_body().hamiltonian, "dt": 0.1, "num_steps": 3} | options
        state = PhaseState(np.ones((3, 2)), np.ones((3, 2)))
        with self.assertRaisesRegex(ValueError, message) as caught:
            rollout(state=state, adjoint="reversible", **arguments)
        self.assertNotIn("\n", str(caught.exception))
