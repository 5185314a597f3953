"""Contract tests of every integrator, on separable and joint Hamiltonians."""

import functools
from typing import NamedTuple

import chex
import jax
import jax.numpy as jnp
import numpy as np
import scipy.integrate
from absl.testing import parameterized
from hypothesis import given
from hypothesis import strategies as st

from hgn_jax import PhaseState, rollout
from hgn_jax.physics import systems
from hgn_jax.physics.integrators import INTEGRATORS, get_integrator
from hgn_jax.physics.phase_space import flip_momentum
from tests.hgn_jax.float64 import Float64TestCase
from tests.hgn_jax.physics.paths import at, distance

_ORDERS = {"euler": 1, "symplectic_euler": 1, "leapfrog": 2, "yoshida4": 4, "rk4": 4}
_SYMPLECTIC = ("symplectic_euler", "leapfrog", "yoshida4")
_SYMMETRIC = ("leapfrog", "yoshida4")


class _Problem(NamedTuple):
    """A Hamiltonian, its vector field written by hand in NumPy, and an initial state."""

    hamiltonian: object
    field: object
    start: PhaseState


def _two_body_field(q, p):
    separation = q[1] - q[0]
    pull = separation / np.linalg.norm(separation) ** 3
    return p, np.stack([pull, -pull])


_PROBLEMS = {
    "pendulum": _Problem(
        systems.pendulum().hamiltonian,
        lambda q, p: (p / 0.5, -3.0 * np.sin(q)),
        PhaseState(np.array([1.2]), np.array([0.7])),
    ),
    "two_body": _Problem(
        systems.two_body().hamiltonian,
        _two_body_field,
        PhaseState(np.array([[1.0, 0.0], [-1.0, 0.2]]), np.array([[0.1, 0.4], [-0.1, -0.5]])),
    ),
    "joint": _Problem(
        lambda state: jnp.sum((state.q**2 + 1.0) * (state.p**2 + 1.0) / 2.0, axis=-1),
        lambda q, p: ((q**2 + 1.0) * p, -(p**2 + 1.0) * q),
        PhaseState(np.array([0.6]), np.array([-0.3])),
    ),
}
_DT = 0.1


@functools.cache
def _exact_end(problem: str, time: float) -> PhaseState:
    """The state at `time` by scipy's eighth-order Runge-Kutta method on the field written by hand."""
    _, field, start = _PROBLEMS[problem]
    shape = (2, *start.q.shape)

    def slope(_, flat):
        return np.stack(field(*flat.reshape(shape))).ravel()

    solution = scipy.integrate.solve_ivp(slope, (0.0, time), np.ravel(start), "DOP853", rtol=1e-13, atol=1e-13)
    return PhaseState(*solution.y[:, -1].reshape(shape))


class _Observation(NamedTuple):
    """Rollouts of one method from the start of one problem."""

    path: PhaseState  # 12 steps of dt
    returned: PhaseState  # 12 steps of -dt from the end of `path`
    past: PhaseState  # 12 steps of -dt from the start
    flipped: PhaseState  # 12 steps of dt from the start with flipped momenta
    resumed: PhaseState  # 8 steps of dt from the fourth state of `path`
    coarse: PhaseState  # 3 steps of 4 dt, in four substeps each
    jacobian: jax.Array  # of one step of 3 dt, on phase space flattened to (q, p)


@functools.partial(jax.jit, static_argnames=("problem", "integrator"))
def _compute(problem: str, integrator: str, start: PhaseState, dt: float) -> _Observation:
    run = functools.partial(rollout, _PROBLEMS[problem].hamiltonian, integrator=integrator)
    path = run(start, dt, 12)

    def step(flat):
        return jnp.stack(at(run(PhaseState(*flat.reshape(2, *start.q.shape)), 3 * dt, 1), -1)).ravel()

    return _Observation(
        path=path,
        returned=run(at(path, -1), -dt, 12),
        past=run(start, -dt, 12),
        flipped=run(flip_momentum(start), dt, 12),
        resumed=run(at(path, 4), dt, 8),
        coarse=run(start, 4 * dt, 3, substeps=4),
        jacobian=jax.jacfwd(step)(jnp.stack(start).ravel()),
    )


@functools.cache
def _observe(problem: str, integrator: str) -> _Observation:
    return jax.tree.map(np.asarray, _compute(problem, integrator, _PROBLEMS[problem].start, _DT))


def _symplectic_defect(jacobian):
    """The largest entry of J^T Omega J - Omega."""
    half = len(jacobian) // 2
    omega = np.block([[np.zeros((half, half)), np.eye(half)], [-np.eye(half), np.zeros((half, half))]])
    return np.max(np.abs(jacobian.T @ omega @ jacobian - omega))


@parameterized.product(problem=list(_PROBLEMS), integrator=list(_ORDERS))
class ContractTest(Float64TestCase):
    """The promises of every method on every problem; splittings promise less on a joint Hamiltonian."""

    def test_converges_at_its_order(self, problem, integrator):
        """The slope of log(error) against log(dt), from one batched rollout over all step sizes."""
        time, counts = 2.5, np.array([60, 120, 240, 480])
        hamiltonian, _, start = _PROBLEMS[problem]
        run = jax.jit(jax.vmap(lambda dt: rollout(hamiltonian, start, dt, max(counts), integrator)))
        paths = jax.tree.map(np.asarray, run(time / counts))
        errors = [distance(at(paths, (i, n)), _exact_end(problem, time)) for i, n in enumerate(counts)]
        order = 1 if problem == "joint" and integrator in _SYMPLECTIC else _ORDERS[integrator]
        self.assertAlmostEqual(np.polyfit(np.log(time / counts), np.log(errors), 1)[0], order, delta=0.1)
        self.assertLess(errors[-1], {1: 0.1, 2: 1e-3, 4: 1e-7}[order])

    def test_symplectic_flag_is_true(self, problem, integrator):
        jacobian = _observe(problem, integrator).jacobian
        defects = abs(np.linalg.det(jacobian) - 1.0), _symplectic_defect(jacobian)
        if INTEGRATORS[integrator].symplectic and problem != "joint":
            self.assertLess(max(defects), 1e-12)
        else:
            self.assertGreater(min(defects), 1e-7)

    def test_symmetric_flag_is_true(self, problem, integrator):
        observation, start = _observe(problem, integrator), _PROBLEMS[problem].start
        self.assertGreater(distance(at(observation.path, -1), start), 0.1)
        error = distance(at(observation.returned, -1), start)
        if INTEGRATORS[integrator].symmetric and problem != "joint":
            self.assertLess(error, 1e-12)
        else:
            self.assertGreater(error, 1e-10)

    def test_flipping_momenta_is_flipping_time(self, problem, integrator):
        observation = _observe(problem, integrator)
        self.assertLess(distance(observation.past, flip_momentum(observation.flipped)), 1e-12)

    def test_substeps_are_the_unrecorded_states_of_a_fine_rollout(self, problem, integrator):
        observation = _observe(problem, integrator)
        self.assertEqual(observation.coarse.q.shape, (4, *_PROBLEMS[problem].start.q.shape))
        self.assertLess(distance(observation.coarse, at(observation.path, slice(None, None, 4))), 1e-13)

    def test_continues_where_it_stopped(self, problem, integrator):
        """The force carried from step to step is the one that a fresh start computes."""
        observation = _observe(problem, integrator)
        self.assertLess(distance(at(observation.path, slice(4, None)), observation.resumed), 1e-14)

    def test_path_begins_with_the_initial_state(self, problem, integrator):
        start = _PROBLEMS[problem].start
        chex.assert_trees_all_equal(at(_observe(problem, integrator).path, 0), start)
        standing_still = _compute(problem, integrator, start, 0.0).path
        chex.assert_trees_all_equal(standing_still, jax.tree.map(lambda x: np.stack([x] * 13), start))

    def test_keeps_float32_whatever_the_type_of_dt(self, problem, integrator):
        start = jax.tree.map(lambda x: x.astype(np.float32), _PROBLEMS[problem].start)
        for dt in (0.1, np.float64(0.1), 1):
            run = lambda state, dt=dt: rollout(_PROBLEMS[problem].hamiltonian, state, dt, 3, integrator, substeps=2)
            path = jax.eval_shape(run, start)
            self.assertEqual((path.q.dtype, path.p.dtype), (jnp.float32, jnp.float32))


@functools.partial(jax.jit, static_argnames="integrator")
def _pendulum_flow(flat, dt, integrator):
    """The end of 30 steps from (q, p), and the Jacobian of that map."""

    def flow(flat):
        return jnp.stack(at(rollout(systems.pendulum().hamiltonian, PhaseState(*flat), dt, 30, integrator), -1))

    return flow(flat), jax.jacfwd(flow)(flat)


class AreaTest(Float64TestCase):
    @given(
        integrator=st.sampled_from(_SYMPLECTIC), q=st.floats(-2.0, 2.0), p=st.floats(-1.0, 1.0), dt=st.floats(-0.3, 0.3)
    )
    def test_pendulum_keeps_area_and_symmetric_methods_reverse(self, integrator, q, p, dt):
        """Below the separatrix, where rounding errors do not grow exponentially."""
        start = np.array([[q], [p]])
        end, jacobian = _pendulum_flow(start, dt, integrator)
        self.assertAlmostEqual(float(np.linalg.det(jacobian.reshape(2, 2))), 1.0, delta=1e-9)
        if integrator in _SYMMETRIC:
            np.testing.assert_allclose(_pendulum_flow(end, -dt, integrator)[0], start, atol=1e-11)


class RegistryTest(Float64TestCase):
    def test_holds_the_documented_methods(self):
        self.assertEqual({name: method.order for name, method in INTEGRATORS.items()}, _ORDERS)
        self.assertCountEqual([name for name, method in INTEGRATORS.items() if method.symplectic], _SYMPLECTIC)
        self.assertCountEqual([name for name, method in INTEGRATORS.items() if method.symmetric], _SYMMETRIC)
        for name in _ORDERS:
            self.assertIs(get_integrator(name), INTEGRATORS[name])
            self.assertEqual(get_integrator(name).name, name)

    @parameterized.parameters(*_ORDERS)
    def test_coefficients_compose_the_step(self, integrator):
        """Kicks and drifts of the field written by hand, one after the other, make the step."""
        method = INTEGRATORS[integrator]
        if integrator not in _SYMPLECTIC:
            self.assertEqual((method.kicks, method.drifts), ((), ()))
            return
        self.assertAlmostEqual(sum(method.kicks), 1.0, places=14)
        self.assertAlmostEqual(sum(method.drifts), 1.0, places=14)
        _, field, (q, p) = _PROBLEMS["pendulum"]
        for kick, drift in zip(method.kicks, (*method.drifts, 0.0), strict=True):
            p = p + kick * _DT * field(q, p)[1]
            q = q + drift * _DT * field(q, p)[0]
        self.assertLess(distance(at(_observe("pendulum", integrator).path, 1), (q, p)), 1e-14)
