"""Tests of friction in `hgn_jax.physics.integrators.rollout`."""

import functools
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import scipy.integrate
from absl.testing import parameterized

from hgn_jax import PhaseState, rollout
from hgn_jax.physics import systems
from tests.hgn_jax.float64 import Float64TestCase
from tests.hgn_jax.physics.paths import at, distance, integrate

_DT, _NUM_STEPS = 0.01, 320
_METHODS = ("leapfrog", "yoshida4")


class _Problem(NamedTuple):
    """A system, the slopes `(dq/dt, dp/dt)` with friction written by hand, the rates of friction, and a start."""

    system: systems.System
    field: Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]
    friction: float | np.ndarray
    start: PhaseState


_PROBLEMS = {
    "pendulum": _Problem(
        systems.pendulum(),
        lambda q, p: (p / 0.5, -3.0 * np.sin(q) - 0.4 * p),
        0.4,
        PhaseState(np.array([1.2]), np.array([0.7])),
    ),
    "springs": _Problem(  # each with its own rate
        systems.mass_spring(),
        lambda q, p: (p / 0.5, -2.0 * q - np.array([0.7, 0.1]) * p),
        np.array([0.7, 0.1]),
        PhaseState(np.array([0.8, 0.5]), np.array([-0.3, 0.9])),
    ),
}


def _exact_end(problem: str, time: float) -> PhaseState:
    """The state at `time` by scipy's eighth-order Runge-Kutta method."""
    _, field, _, start = _PROBLEMS[problem]
    shape = (2, *start.q.shape)

    def slope(_, flat):
        return np.stack(field(*flat.reshape(shape))).ravel()

    solution = scipy.integrate.solve_ivp(slope, (0.0, time), np.ravel(start), "DOP853", rtol=1e-12, atol=1e-12)
    return PhaseState(*solution.y[:, -1].reshape(shape))


@functools.partial(jax.jit, static_argnames=("problem", "integrator", "substeps"))
def _run(problem: str, integrator: str, start: PhaseState, dt: float, substeps: int = 1) -> tuple:
    """The path of 320 steps in the direction of dt, and the Jacobian of its end, on phase space flattened to (q, p)."""

    def end_and_path(flat):
        state = PhaseState(*flat.reshape(2, *start.q.shape))
        hamiltonian, friction = _PROBLEMS[problem].system.hamiltonian, _PROBLEMS[problem].friction
        num_steps = _NUM_STEPS // substeps
        path = rollout(hamiltonian, state, substeps * dt, num_steps, integrator, substeps, friction=friction)
        return jnp.stack(at(path, -1)).ravel(), path

    jacobian, path = jax.jacfwd(end_and_path, has_aux=True)(jnp.stack(start).ravel())
    return path, jacobian


@parameterized.product(problem=list(_PROBLEMS), integrator=_METHODS)
class FrictionTest(Float64TestCase):
    def test_converges_to_the_damped_motion_at_second_order(self, problem, integrator):
        """Friction is split off symmetrically, so no method is of a higher order."""
        time, counts = 3.2, (_NUM_STEPS // 2, _NUM_STEPS)
        exact, start = _exact_end(problem, time), _PROBLEMS[problem].start
        errors = [distance(at(_run(problem, integrator, start, time / n)[0], n), exact) for n in counts]
        np.testing.assert_allclose(np.divide(errors[:-1], errors[1:]), 4.0, rtol=0.02)
        self.assertLess(errors[-1], 1e-3)

    def test_shrinks_the_volume_of_phase_space_exactly(self, problem, integrator):
        _, _, friction, start = _PROBLEMS[problem]
        rate = np.sum(np.broadcast_to(friction, start.p.shape))
        volume = np.linalg.det(_run(problem, integrator, start, _DT)[1])
        self.assertAlmostEqual(volume, np.exp(-rate * _DT * _NUM_STEPS), delta=1e-12)

    def test_steps_back_are_the_inverse(self, problem, integrator):
        start = _PROBLEMS[problem].start
        end = at(_run(problem, integrator, start, _DT)[0], -1)
        self.assertGreater(distance(end, start), 0.1)
        self.assertLess(distance(at(_run(problem, integrator, end, -_DT)[0], -1), start), 1e-12)

    def test_substeps_are_the_unrecorded_states_of_a_fine_rollout(self, problem, integrator):
        fine, coarse = (_run(problem, integrator, _PROBLEMS[problem].start, _DT, substeps)[0] for substeps in (1, 4))
        self.assertEqual(len(coarse.q), _NUM_STEPS // 4 + 1)
        self.assertLess(distance(coarse, at(fine, slice(None, None, 4))), 1e-13)


class FrictionArgumentsTest(Float64TestCase):
    def test_no_friction_is_friction_of_rate_zero(self):
        hamiltonian, start = systems.pendulum().hamiltonian, _PROBLEMS["pendulum"].start
        conservative = integrate(hamiltonian, start, _DT, 12)
        without_rate = integrate(hamiltonian, start, _DT, 12, friction=0.0)
        self.assertLess(distance(conservative, without_rate), 1e-14)

    @parameterized.parameters("euler", "rk4")
    def test_runge_kutta_methods_are_refused(self, integrator):
        start = _PROBLEMS["pendulum"].start
        message = rf"^friction needs a splitting method \(symplectic_euler, leapfrog, .*\), got {integrator}$"
        with self.assertRaisesRegex(ValueError, message):
            rollout(systems.pendulum().hamiltonian, start, _DT, 3, integrator, friction=0.1)

    def test_joint_hamiltonians_are_refused(self):
        start = PhaseState(np.array([0.3, 0.2]), np.array([0.1, 0.4]))
        with self.assertRaisesRegex(ValueError, r"^friction needs a separable Hamiltonian T\(p\) \+ V\(q\), got .*$"):
            rollout(systems.double_pendulum().hamiltonian, start, _DT, 3, friction=0.1)
