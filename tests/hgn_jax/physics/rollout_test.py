"""Tests of `rollout`: batches, steps, compilation, gradients and arguments."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
from absl.testing import parameterized

from hgn_jax import PhaseState, rollout, separable
from hgn_jax.physics import systems
from hgn_jax.physics.integrators import INTEGRATORS
from tests.hgn_jax.float64 import Float64TestCase
from tests.hgn_jax.physics.paths import distance, integrate

_PENDULUM = systems.pendulum().hamiltonian
_START = PhaseState(np.array([1.2]), np.array([0.7]))


class RolloutTest(Float64TestCase):
    @parameterized.parameters(*INTEGRATORS)
    def test_examples_of_a_batch_move_independently(self, integrator):
        rng = np.random.default_rng(0)
        orbits = systems.circular_orbit(3, rng.uniform(0.9, 1.2, 4), rng.uniform(0.0, 6.0, 4))
        orbits = PhaseState(orbits.q, orbits.p + 0.1 * rng.normal(size=(4, 3, 2)))
        run = lambda state: rollout(systems.three_body().hamiltonian, state, 0.05, 6, integrator)
        batched, mapped = jax.jit(lambda state: (run(state), jax.vmap(run, out_axes=1)(state)))(orbits)
        self.assertEqual(batched.q.shape, (7, 4, 3, 2))
        self.assertLess(distance(batched, mapped), 1e-13)

    @parameterized.product(integrator=("euler", "leapfrog"), batch=(2, 3), friction=(None, 0.3))
    def test_each_example_may_have_its_own_step(self, integrator, batch, friction):
        """A batch of three states of three coordinates shows whether steps are taken for coordinates."""
        if integrator == "euler" and friction is not None:
            self.skipTest("friction needs a splitting method")
        steps, rng = np.array([0.1, -0.2, 0.3])[:batch], np.random.default_rng(0)
        start = PhaseState(*rng.normal(size=(2, batch, 3)))
        hamiltonian = separable(lambda p: jnp.sum(p**2, -1), lambda q: -jnp.sum(jnp.cos(q), -1))
        run = lambda state, dt: rollout(hamiltonian, state, dt, 5, integrator, friction=friction)
        together, with_axis, alone = jax.jit(
            lambda s, dt: (run(s, dt), run(s, dt[:, None]), jax.vmap(run, out_axes=1)(s, dt))
        )(start, steps)
        self.assertLess(distance(together, alone), 1e-14)
        chex.assert_trees_all_equal(together, with_axis)

    def test_steps_of_the_examples_of_a_pytree(self):
        """Coordinates of several shapes: one number each, or a plane of them."""
        rng, steps = np.random.default_rng(0), np.array([0.1, 0.2])
        start = PhaseState(*({"a": rng.normal(size=2), "b": rng.normal(size=(2, 3, 2))} for _ in "qp"))
        hamiltonian = separable(
            lambda p: p["a"] ** 2 + jnp.sum(p["b"] ** 2, (1, 2)), lambda q: q["a"] ** 4 + jnp.sum(q["b"] ** 4, (1, 2))
        )
        path = rollout(hamiltonian, start, steps, 4, substeps=2)
        for name, sum_over in {"a": lambda x: x, "b": lambda x: jnp.sum(x, (1, 2))}.items():
            part = separable(lambda p, f=sum_over: f(p**2), lambda q, f=sum_over: f(q**4))
            alone = rollout(part, PhaseState(start.q[name], start.p[name]), steps, 4, substeps=2)
            self.assertLess(distance(PhaseState(path.q[name], path.p[name]), alone), 1e-14)

    @parameterized.parameters("leapfrog", "rk4")
    def test_compiled_traced_and_unrolled_agree(self, integrator):
        plain = rollout(_PENDULUM, _START, -0.1, 5, integrator, substeps=2)
        traced = jax.jit(
            lambda state, dt: [
                rollout(_PENDULUM, state, dt, 5, integrator, substeps=2, unroll=unroll) for unroll in (1, 4, True)
            ]
        )
        for path in traced(_START, -0.1):
            self.assertLess(distance(plain, path), 1e-14)

    @parameterized.parameters("leapfrog", "rk4")
    def test_gradients_are_finite_differences(self, integrator):
        def endpoint(q, p, dt, stiffness):
            hamiltonian = separable(lambda p: jnp.sum(jnp.cosh(p), -1), lambda q: jnp.sum(jnp.cos(stiffness * q), -1))
            path = rollout(hamiltonian, PhaseState(q, p), dt, 4, integrator, substeps=2)
            return jnp.sum(path.q[-1] * jnp.array([1.0, -2.0])) + jnp.sum(path.p**2)

        arguments = (jnp.array([0.3, -0.5]), jnp.array([0.2, 0.7]), jnp.array(0.1), jnp.array(1.3))
        chex.assert_numerical_grads(jax.jit(endpoint), arguments, order=1, atol=1e-5, rtol=1e-5)

    # Splittings need one force per kick, since the closing force of a step opens the next. Runge-Kutta methods evaluate
    # the field once per stage.
    @parameterized.parameters(
        ("euler", 6, 6), ("symplectic_euler", 7, 6), ("leapfrog", 7, 6), ("yoshida4", 19, 18), ("rk4", 24, 24)
    )
    def test_takes_no_gradient_twice(self, integrator, num_forces, num_velocities):
        """Counts backward passes, with compilation disabled so that Python runs each step."""
        counts = {"potential": 0, "kinetic": 0}

        def counted(name):
            energy = jax.custom_vjp(lambda x: jnp.sum(x**2) / 2.0)

            def backward(x, cotangent):
                counts[name] += 1
                return (cotangent * x,)

            energy.defvjp(lambda x: (jnp.sum(x**2) / 2.0, x), backward)
            return energy

        hamiltonian = separable(counted("kinetic"), counted("potential"))
        with jax.disable_jit():
            rollout(hamiltonian, PhaseState(np.array([0.4]), np.array([0.3])), 0.1, 2, integrator, substeps=3)
        self.assertEqual(counts, {"potential": num_forces, "kinetic": num_velocities})

    @parameterized.parameters(0, 1, 5)
    def test_records_the_initial_state_and_every_step(self, num_steps):
        start = PhaseState(np.ones((2, 2)), np.ones((2, 2)))
        path = jax.eval_shape(lambda state: rollout(systems.two_body().hamiltonian, state, 0.1, num_steps), start)
        self.assertIsInstance(path, PhaseState)
        chex.assert_shape(path, (num_steps + 1, 2, 2))

    def test_default_is_leapfrog(self):
        leapfrog = integrate(_PENDULUM, _START, 0.1, 5, "leapfrog", substeps=1)
        chex.assert_trees_all_equal(integrate(_PENDULUM, _START, 0.1, 5), leapfrog)

    def test_accepts_numpy_arrays_and_numbers(self):
        hamiltonian = separable(lambda p: p**2 / 2.0, lambda q: q**2 / 2.0)
        path = rollout(hamiltonian, PhaseState(1.0, np.float64(0.0)), 0.1, 3)
        self.assertEqual(path.q.shape, (4,))

    @parameterized.parameters(
        (ValueError, "'verlet'; choose one of euler, symplectic_euler, leapfrog, ", {"integrator": "verlet"}),
        (ValueError, "num_steps must be 0 or more, got -1", {"num_steps": -1}),
        (ValueError, "substeps must be 1 or more, got 0", {"substeps": 0}),
        (ValueError, "shape", {"state": PhaseState(np.ones(1), np.ones((2, 1)))}),
        (ValueError, "type", {"state": PhaseState(np.ones(1, int), np.ones(1, int))}),
        (ValueError, r"dt of shape \(3,\) does not fit states of shape \(2, 1\)", {"dt": np.ones(3)}),
        (ValueError, r"one per example, of shape \(2,\)", {"dt": np.ones((1, 2))}),
        (ValueError, r"dt of shape \(2, 1, 1\)", {"dt": np.ones((2, 1, 1))}),
        (ValueError, r"friction of shape \(3,\) cannot be broadcast", {"friction": np.ones(3)}),
        (ValueError, "'adjoint'; choose one of direct, reversible", {"adjoint": "adjoint"}),
    )
    def test_wrong_arguments_are_named(self, error, message, arguments):
        start = PhaseState(np.ones((2, 1)), np.ones((2, 1)))
        with self.assertRaisesRegex(error, message) as caught:
            rollout(_PENDULUM, **{"state": start, "dt": 0.1, "num_steps": 3} | arguments)
        self.assertNotIn("\n", str(caught.exception))
