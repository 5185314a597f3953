"""Tests of `hgn_jax.physics.scipy_rollout`."""

import jax
import jax.numpy as jnp
import numpy as np
from absl.testing import absltest

from hgn_jax import PhaseState, rollout, separable
from hgn_jax.physics import systems
from hgn_jax.physics.scipy_rollout import scipy_rollout


class ScipyRolloutTest(absltest.TestCase):
    def test_is_the_exact_motion_of_an_oscillator(self):
        with jax.enable_x64(True):
            start = PhaseState(jnp.array([[0.5], [-1.0]]), jnp.array([[0.2], [0.4]]))
            for dt in (0.3, -0.3):
                path = scipy_rollout(systems.mass_spring().hamiltonian, start, dt, 20)
                time = dt * np.arange(21)[:, None, None]  # H = q^2 + p^2 turns clockwise at rate 2
                np.testing.assert_allclose(path.q, start.q * np.cos(2 * time) + start.p * np.sin(2 * time), atol=1e-7)
                np.testing.assert_allclose(path.p, start.p * np.cos(2 * time) - start.q * np.sin(2 * time), atol=1e-7)

    def test_agrees_with_a_fine_rollout_of_two_bodies(self):
        with jax.enable_x64(True):
            system = systems.two_body()
            start = jax.tree.map(lambda x: x[None], systems.circular_orbit(2, 0.8, 0.3))
            path = scipy_rollout(system.hamiltonian, start, 0.1, 10)
            fine = rollout(system.hamiltonian, start, 0.1, 10, "rk4", substeps=20)
            np.testing.assert_allclose(path.q, fine.q, atol=1e-7)
            self.assertEqual(path.p.shape, (11, 1, 2, 2))

    def test_records_the_initial_state_and_refuses_fewer_steps(self):
        start = PhaseState(np.ones((2, 1)), np.zeros((2, 1)))
        path = scipy_rollout(systems.pendulum().hamiltonian, start, 0.1, 0)
        np.testing.assert_array_equal(path.q, np.ones((1, 2, 1)))
        with self.assertRaisesRegex(ValueError, "num_steps must be 0 or more"):
            scipy_rollout(systems.pendulum().hamiltonian, start, 0.1, -1)

    def test_what_it_cannot_do_is_said_in_one_line(self):
        start, energy = PhaseState(np.ones((2, 1)), np.ones((2, 1))), systems.pendulum().hamiltonian
        unsummed = separable(lambda p: p**2, lambda q: jnp.sum(q**2, -1))
        for arguments, message in (
            ((energy, start, np.array([0.1, 0.2])), "dt must be one finite number"),
            ((energy, start, np.nan), "dt must be one finite number, got nan"),
            ((energy, PhaseState(start.q, start.p[:1]), 0.1), "must have the same shape"),
            ((energy, PhaseState({"a": start.q, "b": start.q}, {"a": start.p, "b": start.p}), 0.1), "no pytrees"),
            ((unsummed, start, 0.1), "the kinetic energy must be one number per example"),
        ):
            with self.assertRaisesRegex(ValueError, message) as caught:
                scipy_rollout(*arguments, 3)
            self.assertNotIn("\n", str(caught.exception))
