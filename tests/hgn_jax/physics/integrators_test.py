"""Tests of `hgn_jax.physics.integrators`."""

import functools
import math

import chex
import jax
import jax.numpy as jnp
import numpy as np
import scipy.integrate
import scipy.special
from absl.testing import absltest, parameterized
from hypothesis import given, settings
from hypothesis import strategies as st

from hgn_jax import PhaseState, rollout, separable
from hgn_jax.physics import systems
from hgn_jax.physics.integrators import INTEGRATORS, get_integrator
from hgn_jax.physics.phase_space import flip_momentum

_ORDERS = {"euler": 1, "symplectic_euler": 1, "leapfrog": 2, "yoshida4": 4, "rk4": 4}
_SYMPLECTIC = ("symplectic_euler", "leapfrog", "yoshida4")
_SYMMETRIC = ("leapfrog", "yoshida4")


_compiled = jax.jit(rollout, static_argnames=("hamiltonian", "num_steps", "integrator", "substeps"))


def _rollout(*arguments, **options):
    """`rollout` compiled whole, which is faster than operation by operation, as NumPy arrays."""
    return jax.tree.map(np.asarray, _compiled(*arguments, **options))


def _joint(state):
    """An energy that is not a sum T(p) + V(q)."""
    return jnp.sum((state.q**2 + 1.0) * (state.p**2 + 1.0) / 2.0, axis=-1)


def _joint_field(q, p):
    return (q**2 + 1.0) * p, -(p**2 + 1.0) * q


def _pendulum_field(q, p):
    return p / 0.5, -3.0 * np.sin(q)


def _two_body_field(q, p):
    separation = q[1] - q[0]
    pull = separation / np.linalg.norm(separation) ** 3
    return p, np.stack([pull, -pull])


# name: (Hamiltonian, hand-written field in NumPy, start).
_PROBLEMS = {
    "pendulum": (
        systems.pendulum().hamiltonian,
        _pendulum_field,
        (np.array([1.2]), np.array([0.7])),
    ),
    "two_body": (
        systems.two_body().hamiltonian,
        _two_body_field,
        (np.array([[1.0, 0.0], [-1.0, 0.2]]), np.array([[0.1, 0.4], [-0.1, -0.5]])),
    ),
    "joint": (_joint, _joint_field, (np.array([0.6]), np.array([-0.3]))),
}


def _start(name):
    return PhaseState(*_PROBLEMS[name][2])


def _reference(name, time):
    """The state at `time` by scipy's eighth-order Runge-Kutta method on the hand-written field."""
    _, field, (q, p) = _PROBLEMS[name]
    shape = (2, *q.shape)

    def slope(_, flat):
        return np.stack(field(*flat.reshape(shape))).ravel()

    start = np.stack([q, p]).ravel()
    solution = scipy.integrate.solve_ivp(slope, (0.0, time), start, "DOP853", rtol=1e-13, atol=1e-13)
    return solution.y[:, -1].reshape(shape)


def _distance(first, second):
    """Largest difference of two states or paths."""
    return max(float(np.max(np.abs(a - b))) for a, b in zip(first, second, strict=True))


def _at(path, index):
    return jax.tree.map(lambda x: x[index], path)


def _step_jacobian(hamiltonian, state, dt, integrator):
    """Jacobian of one step on phase space flattened to (q, p)."""
    shape = (2, *state.q.shape)

    def step(flat):
        path = rollout(hamiltonian, PhaseState(*flat.reshape(shape)), dt, 1, integrator)
        return jnp.concatenate([path.q[-1].ravel(), path.p[-1].ravel()])

    return np.asarray(jax.jit(jax.jacfwd(step))(jnp.stack(state).ravel()))


def _symplectic_defect(jacobian):
    """Largest entry of J^T Omega J - Omega."""
    half = len(jacobian) // 2
    omega = np.block([[np.zeros((half, half)), np.eye(half)], [-np.eye(half), np.zeros((half, half))]])
    return np.max(np.abs(jacobian.T @ omega @ jacobian - omega))


@functools.partial(jax.jit, static_argnames="integrator")
def _pendulum_flow(flat, dt, integrator):
    """Where 30 steps take (q, p), and the Jacobian of that map."""

    def flow(flat):
        path = rollout(systems.pendulum().hamiltonian, PhaseState(*flat), dt, 30, integrator)
        return jnp.stack([path.q[-1], path.p[-1]])

    return flow(flat), jax.jacfwd(flow)(flat)


class Float64TestCase(parameterized.TestCase):
    def setUp(self):
        super().setUp()
        self.enter_context(jax.enable_x64(True))


class OrderTest(Float64TestCase):
    def _measured_order(self, problem, integrator, time=2.5, counts=(60, 120, 240, 480)):
        """Slope of log(error) against log(dt), all step sizes in one batched rollout."""
        hamiltonian, _, _ = _PROBLEMS[problem]
        steps = time / np.array(counts)
        paths = jax.jit(jax.vmap(lambda dt: rollout(hamiltonian, _start(problem), dt, max(counts), integrator)))(steps)
        truth = _reference(problem, time)
        errors = [_distance(_at(paths, (i, count)), truth) for i, count in enumerate(counts)]
        self.assertLess(errors[-1], 0.1)
        return np.polyfit(np.log(steps), np.log(errors), 1)[0]

    @parameterized.product(problem=["pendulum", "two_body"], integrator=list(_ORDERS))
    def test_converges_at_its_order(self, problem, integrator):
        self.assertAlmostEqual(self._measured_order(problem, integrator), _ORDERS[integrator], delta=0.1)

    @parameterized.parameters(("euler", 1), ("symplectic_euler", 1), ("leapfrog", 1), ("yoshida4", 1), ("rk4", 4))
    def test_on_a_joint_hamiltonian(self, integrator, order):
        """Runge-Kutta methods keep their order; explicit splittings are then of first order, as documented."""
        self.assertAlmostEqual(self._measured_order("joint", integrator), order, delta=0.1)

    @parameterized.parameters("yoshida4", "rk4")
    def test_agrees_with_scipy_to_many_digits(self, integrator):
        for problem in ("pendulum", "two_body"):
            path = _rollout(_PROBLEMS[problem][0], _start(problem), 0.05, 40, integrator, substeps=20)
            self.assertLess(_distance(_at(path, -1), _reference(problem, 2.0)), 1e-9)

    def test_runge_kutta_on_a_linear_field_is_the_taylor_polynomial(self):
        """On H = (q^2 + p^2) / 2 a step multiplies z = q + ip by the truncated series of exp(-i dt)."""
        oscillator = systems.mass_spring(k=1.0, m=1.0).hamiltonian
        start, dt = PhaseState(jnp.array([0.3]), jnp.array([-0.8])), 0.4
        for integrator, order in (("euler", 1), ("rk4", 4)):
            z = complex(0.3, -0.8) * sum((-1j * dt) ** k / math.factorial(k) for k in range(order + 1))
            end = _at(_rollout(oscillator, start, dt, 1, integrator), -1)
            self.assertLess(_distance(end, (np.array([z.real]), np.array([z.imag]))), 1e-15)


class GeometryTest(Float64TestCase):
    """What the flags `symplectic` and `symmetric` promise, measured."""

    @parameterized.product(problem=["pendulum", "two_body"], integrator=list(_ORDERS))
    def test_symplectic_flag_is_true(self, problem, integrator):
        jacobian = _step_jacobian(_PROBLEMS[problem][0], _start(problem), 0.3, integrator)
        volume_defect, form_defect = abs(np.linalg.det(jacobian) - 1.0), _symplectic_defect(jacobian)
        if integrator in _SYMPLECTIC:
            self.assertTrue(INTEGRATORS[integrator].symplectic)
            self.assertLess(volume_defect, 1e-12)
            self.assertLess(form_defect, 1e-12)
        else:
            self.assertFalse(INTEGRATORS[integrator].symplectic)
            self.assertGreater(volume_defect, 1e-7)
            self.assertGreater(form_defect, 1e-7)

    @parameterized.product(problem=["pendulum", "two_body"], integrator=list(_ORDERS))
    def test_symmetric_flag_is_true(self, problem, integrator):
        hamiltonian, start = _PROBLEMS[problem][0], _start(problem)
        end = _at(_rollout(hamiltonian, start, 0.2, 20, integrator), -1)
        error = _distance(_at(_rollout(hamiltonian, end, -0.2, 20, integrator), -1), start)
        self.assertGreater(_distance(end, start), 0.1)
        if integrator in _SYMMETRIC:
            self.assertTrue(INTEGRATORS[integrator].symmetric)
            self.assertLess(error, 1e-12)
        else:
            self.assertFalse(INTEGRATORS[integrator].symmetric)
            self.assertGreater(error, 1e-6)

    @parameterized.parameters(*_SYMPLECTIC)
    def test_splittings_lose_both_on_a_joint_hamiltonian(self, integrator):
        jacobian = _step_jacobian(_joint, _start("joint"), 0.3, integrator)
        self.assertGreater(abs(np.linalg.det(jacobian) - 1.0), 1e-3)
        end = _at(_rollout(_joint, _start("joint"), 0.1, 10, integrator), -1)
        self.assertGreater(_distance(_at(_rollout(_joint, end, -0.1, 10, integrator), -1), _start("joint")), 1e-5)

    @settings(max_examples=40, deadline=None, derandomize=True)
    @given(
        integrator=st.sampled_from(_SYMPLECTIC),
        q=st.floats(-2.0, 2.0),
        p=st.floats(-1.0, 1.0),
        dt=st.floats(-0.3, 0.3),
    )
    def test_pendulum_keeps_area_and_symmetric_methods_reverse(self, integrator, q, p, dt):
        """Below the separatrix, where rounding errors do not grow exponentially."""
        start = np.array([[q], [p]])
        end, jacobian = _pendulum_flow(start, dt, integrator)
        self.assertAlmostEqual(float(np.linalg.det(jacobian.reshape(2, 2))), 1.0, delta=1e-9)
        if integrator in _SYMMETRIC:
            np.testing.assert_allclose(_pendulum_flow(end, -dt, integrator)[0], start, atol=1e-11)

    @parameterized.product(problem=list(_PROBLEMS), integrator=list(_ORDERS))
    def test_flipping_momenta_is_flipping_time(self, problem, integrator):
        hamiltonian, start = _PROBLEMS[problem][0], _start(problem)
        backwards = _rollout(hamiltonian, start, -0.1, 15, integrator)
        flipped = flip_momentum(_rollout(hamiltonian, flip_momentum(start), 0.1, 15, integrator))
        self.assertLess(_distance(backwards, flipped), 1e-12)


class ExactSolutionTest(Float64TestCase):
    def test_mass_spring_swings_at_its_frequency(self):
        """q = A cos(w t) + B sin(w t) with w^2 = k / m = 4."""
        start = PhaseState(jnp.array([0.4]), jnp.array([0.3]))
        path = _rollout(systems.mass_spring(k=2.0, m=0.5).hamiltonian, start, 0.125, 30, "rk4", substeps=50)
        times = 0.125 * np.arange(31)
        q = 0.4 * np.cos(2.0 * times) + 0.3 * np.sin(2.0 * times)  # dq/dt = p / m = 0.6 = 2 * 0.3 at the start
        p = -0.4 * np.sin(2.0 * times) + 0.3 * np.cos(2.0 * times)
        self.assertLess(_distance(path, (q[:, None], p[:, None])), 1e-9)

    @parameterized.parameters("leapfrog", "symplectic_euler", "euler")
    def test_mass_spring_conserves_what_the_method_conserves(self, integrator):
        """The discrete motion of a harmonic oscillator has an exact invariant of its own for each method."""
        k, m, dt = 2.0, 0.5, 0.25
        start = PhaseState(jnp.array([0.4]), jnp.array([0.3]))
        path = _rollout(systems.mass_spring(k, m).hamiltonian, start, dt, 200, integrator)
        q, p = np.asarray(path.q)[:, 0], np.asarray(path.p)[:, 0]
        if integrator == "leapfrog":
            invariant = p**2 / m + k * q**2 * (1.0 - k / m * dt**2 / 4.0)
        elif integrator == "symplectic_euler":
            invariant = p**2 / m + k * q**2 - dt * k / m * q * p
        else:
            invariant = (p**2 / m + k * q**2) / (1.0 + k / m * dt**2) ** np.arange(201)
        np.testing.assert_allclose(invariant, invariant[0], rtol=1e-11)

    @parameterized.product(amplitude=[0.5, 1.5, 2.5], potential_factor=[1.0, 2.0])
    def test_pendulum_has_the_period_of_the_elliptic_integral(self, amplitude, potential_factor):
        """d2q/dt2 = -w^2 sin q with w^2 = c g / l, so the period is 4 K(sin^2(A / 2)) / w."""
        m, g, l = 0.5, 3.0, 1.3
        frequency = math.sqrt(potential_factor * g / l)
        period = 4.0 * scipy.special.ellipk(math.sin(amplitude / 2.0) ** 2) / frequency
        hamiltonian = systems.pendulum(m, g, l, potential_factor).hamiltonian
        start = PhaseState(jnp.array([amplitude]), jnp.array([0.0]))
        path = _rollout(hamiltonian, start, period / 4.0, 4, "yoshida4", substeps=500)
        top_speed = 2.0 * frequency * math.sin(amplitude / 2.0)  # from the energy, at q = 0
        q = amplitude * np.array([1.0, 0.0, -1.0, 0.0, 1.0])
        p = m * l**2 * top_speed * np.array([0.0, -1.0, 0.0, 1.0, 0.0])
        self.assertLess(_distance(path, (q[:, None], p[:, None])), 1e-8)

    # Angular speed squared times r^3 / (g m) of a regular polygon: 1/4 for two bodies and 1/sqrt(3) for three.
    @parameterized.parameters((2, 0.25), (3, 1.0 / math.sqrt(3.0)))
    def test_bodies_on_a_circle_stay_and_return(self, num_bodies, attraction):
        radius, m, g = 1.2, 0.7, 1.5
        period = 2.0 * math.pi / math.sqrt(attraction * g * m / radius**3)
        start = systems.circular_orbit(num_bodies, radius, 0.3, m, g)
        hamiltonian = systems.n_body(num_bodies, m, g).hamiltonian
        path = _rollout(hamiltonian, start, period / 50, 50, "yoshida4", substeps=20)
        np.testing.assert_allclose(np.linalg.norm(path.q, axis=-1), radius, rtol=1e-8)
        self.assertLess(_distance(_at(path, -1), start), 1e-7)
        angles = 0.3 + 2.0 * math.pi * np.arange(51) / 50  # anticlockwise, at constant speed
        first_body = radius * np.stack([np.cos(angles), np.sin(angles)], axis=-1)
        np.testing.assert_allclose(path.q[:, 0], first_body, atol=1e-7)

    def test_unequal_bodies_obey_keplers_third_law(self):
        """In the relative orbit T^2 = 4 pi^2 a^3 / (g (m1 + m2)), with a from the vis-viva equation."""
        m, g = np.array([0.5, 2.0]), 1.3
        separation, speed = 1.5, 0.9  # relative, at right angles: an apsis
        semi_major = 1.0 / (2.0 / separation - speed**2 / (g * m.sum()))
        period = 2.0 * math.pi * math.sqrt(semi_major**3 / (g * m.sum()))
        share = np.array([m[1], -m[0]]) / m.sum()  # of the separation, about the centre of mass
        q = share[:, None] * np.array([separation, 0.0])
        p = m[:, None] * share[:, None] * np.array([0.0, speed])
        start = PhaseState(jnp.asarray(q), jnp.asarray(p))
        path = _rollout(systems.two_body(m, g).hamiltonian, start, period / 2, 2, "rk4", substeps=2000)
        self.assertLess(_distance(_at(path, 2), start), 1e-8)
        other_apsis = 2.0 * semi_major - separation
        half_way = np.asarray(path.q[1, 0] - path.q[1, 1])
        np.testing.assert_allclose(half_way, [-other_apsis, 0.0], atol=1e-8)

    def test_figure_eight_closes_at_second_order(self):
        """Chenciner and Montgomery (2000), Ann. Math. 152: three bodies chase one another along a figure eight."""
        q = np.array([[0.97000436, -0.24308753], [-0.97000436, 0.24308753], [0.0, 0.0]])
        middle = np.array([-0.93240737, -0.86473146])
        start = PhaseState(jnp.asarray(q), jnp.asarray(np.stack([-middle / 2.0, -middle / 2.0, middle])))
        period, hamiltonian = 6.32591398, systems.three_body().hamiltonian

        def closing_error(num_steps, integrator):
            path = _rollout(hamiltonian, start, period, 1, integrator, substeps=num_steps)
            return math.dist(np.ravel(path.q[1]), np.ravel(path.q[0]))

        ratio = closing_error(1000, "leapfrog") / closing_error(2000, "leapfrog")
        self.assertAlmostEqual(ratio, 4.0, delta=0.3)
        self.assertLess(closing_error(2000, "rk4"), 1e-6)
        third = _rollout(hamiltonian, start, period / 3.0, 1, "rk4", substeps=1000)  # each is where another was
        np.testing.assert_allclose(third.q[1], q[np.array([2, 0, 1])], atol=1e-6)


class EnergyTest(Float64TestCase):
    def _energy_error(self, integrator, dt=0.1):
        """Largest error in the first and in the second half of 4000 steps."""
        hamiltonian = systems.pendulum().hamiltonian
        energy = hamiltonian(_rollout(hamiltonian, _start("pendulum"), dt, 4000, integrator))
        error = np.abs(energy - energy[0])
        return np.max(error[:2000]), np.max(error[2000:])

    @parameterized.parameters(("symplectic_euler", 0.5), ("leapfrog", 0.03), ("yoshida4", 3e-3))
    def test_error_of_symplectic_methods_stays_bounded(self, integrator, bound):
        early, late = self._energy_error(integrator)
        self.assertLess(early, bound)
        self.assertLess(late, 1.01 * early)

    def test_error_of_runge_kutta_methods_grows(self):
        early, late = self._energy_error("rk4")
        self.assertGreater(late, 1.5 * early)
        early, late = self._energy_error("euler", dt=0.002)
        self.assertGreater(late, 1.5 * early)


class RolloutTest(Float64TestCase):
    @parameterized.product(problem=list(_PROBLEMS), integrator=list(_ORDERS))
    def test_substeps_are_the_unrecorded_states_of_a_fine_rollout(self, problem, integrator):
        hamiltonian, start = _PROBLEMS[problem][0], _start(problem)
        coarse = _rollout(hamiltonian, start, 0.2, 6, integrator, substeps=4)
        fine = _rollout(hamiltonian, start, 0.05, 24, integrator)
        self.assertEqual(coarse.q.shape, (7, *start.q.shape))
        self.assertLess(_distance(coarse, _at(fine, slice(None, None, 4))), 1e-13)

    @parameterized.product(problem=["two_body", "joint"], integrator=list(_ORDERS))
    def test_continues_where_it_stopped(self, problem, integrator):
        """The force carried from step to step is the one a fresh start computes."""
        hamiltonian, start = _PROBLEMS[problem][0], _start(problem)
        whole = _rollout(hamiltonian, start, 0.1, 10, integrator)
        rest = _rollout(hamiltonian, _at(whole, 4), 0.1, 6, integrator)
        self.assertLess(_distance(_at(whole, slice(4, None)), rest), 1e-14)

    @parameterized.parameters(*_ORDERS)
    def test_batch_elements_move_alone(self, integrator):
        rng = np.random.default_rng(0)
        orbits = systems.circular_orbit(3, rng.uniform(0.9, 1.2, 4), rng.uniform(0.0, 6.0, 4))
        orbits = PhaseState(np.asarray(orbits.q), orbits.p + 0.1 * rng.normal(size=(4, 3, 2)))
        hamiltonian = systems.three_body().hamiltonian
        integrate = jax.jit(lambda state: rollout(hamiltonian, state, 0.05, 12, integrator))
        batched, alone = integrate(orbits), integrate(_at(orbits, 2))
        self.assertEqual(batched.q.shape, (13, 4, 3, 2))
        self.assertLess(_distance(_at(batched, (slice(None), 2)), alone), 1e-13)
        if integrator in ("leapfrog", "rk4"):
            self.assertLess(_distance(batched, jax.vmap(integrate, out_axes=1)(orbits)), 1e-13)

    @parameterized.parameters("euler", "leapfrog")
    def test_each_example_may_have_its_own_step(self, integrator):
        hamiltonian, start = systems.pendulum().hamiltonian, PhaseState(np.full((2, 1), 0.4), np.full((2, 1), 0.7))
        path = _rollout(hamiltonian, start, np.array([[0.1], [-0.2]]), 5, integrator)
        for i, dt in enumerate((0.1, -0.2)):
            alone = _rollout(hamiltonian, _at(start, slice(i, i + 1)), dt, 5, integrator)
            self.assertLess(_distance(_at(path, (slice(None), slice(i, i + 1))), alone), 1e-14)

    @parameterized.parameters(*_ORDERS)
    def test_compiled_traced_and_unrolled_agree(self, integrator):
        hamiltonian, start = _PROBLEMS["pendulum"][0], _start("pendulum")
        plain = rollout(hamiltonian, start, -0.1, 9, integrator, substeps=2)
        traced = jax.jit(lambda state, dt: rollout(hamiltonian, state, dt, 9, integrator, substeps=2))
        self.assertLess(_distance(plain, traced(start, -0.1)), 1e-14)
        for unroll in (4, True) if integrator == "leapfrog" else (True,):
            unrolled = rollout(hamiltonian, start, -0.1, 9, integrator, substeps=2, unroll=unroll)
            self.assertLess(_distance(plain, unrolled), 1e-14)

    @parameterized.parameters("leapfrog", "rk4")
    def test_gradients_are_finite_differences(self, integrator):
        def endpoint(q, p, dt, stiffness):
            hamiltonian = separable(lambda p: jnp.sum(jnp.cosh(p), -1), lambda q: jnp.sum(jnp.cos(stiffness * q), -1))
            path = rollout(hamiltonian, PhaseState(q, p), dt, 8, integrator, substeps=2)
            return jnp.sum(path.q[-1] * jnp.array([1.0, -2.0])) + jnp.sum(path.p**2)

        arguments = (jnp.array([0.3, -0.5]), jnp.array([0.2, 0.7]), jnp.array(0.1), jnp.array(1.3))
        chex.assert_numerical_grads(jax.jit(endpoint), arguments, order=1, atol=1e-5, rtol=1e-5)

    # Kicks with one force each: the closing force of a step opens the next. Runge-Kutta takes the field once per stage.
    @parameterized.parameters(
        ("euler", 12, 12), ("symplectic_euler", 13, 12), ("leapfrog", 13, 12), ("yoshida4", 37, 36), ("rk4", 48, 48)
    )
    def test_takes_no_gradient_twice(self, integrator, num_forces, num_velocities):
        """Counts backward passes, with compilation off so that Python runs each step."""
        counts = {"potential": 0, "kinetic": 0}

        def counted(name):
            energy = jax.custom_vjp(lambda x: jnp.sum(x**2) / 2.0)

            def backward(x, cotangent):
                counts[name] += 1
                return (cotangent * x,)

            energy.defvjp(lambda x: (jnp.sum(x**2) / 2.0, x), backward)
            return energy

        hamiltonian = separable(counted("kinetic"), counted("potential"))
        start = PhaseState(jnp.array([0.4]), jnp.array([0.3]))
        with jax.disable_jit():
            path = rollout(hamiltonian, start, 0.1, 4, integrator, substeps=3)
        self.assertEqual(counts, {"potential": num_forces, "kinetic": num_velocities})
        compiled = rollout(systems.mass_spring(k=1.0, m=1.0).hamiltonian, start, 0.1, 4, integrator, substeps=3)
        self.assertLess(_distance(path, compiled), 1e-14)

    def test_starts_with_the_start(self):
        for num_steps in (0, 1, 5):
            path = rollout(_PROBLEMS["two_body"][0], _start("two_body"), 0.1, num_steps)
            self.assertIsInstance(path, PhaseState)
            self.assertEqual(path.p.shape, (num_steps + 1, 2, 2))
            chex.assert_trees_all_equal(_at(path, 0), _start("two_body"))

    def test_default_is_leapfrog(self):
        hamiltonian, start = _PROBLEMS["pendulum"][0], _start("pendulum")
        expected = rollout(hamiltonian, start, 0.1, 5, "leapfrog", substeps=1)
        chex.assert_trees_all_equal(rollout(hamiltonian, start, 0.1, 5), expected)

    @parameterized.parameters(*_ORDERS)
    def test_zero_step_stands_still(self, integrator):
        path = rollout(_PROBLEMS["pendulum"][0], _start("pendulum"), 0.0, 3, integrator)
        np.testing.assert_array_equal(path.q, np.full((4, 1), 1.2))
        np.testing.assert_array_equal(path.p, np.full((4, 1), 0.7))

    @parameterized.product(integrator=list(_ORDERS), dt=[0.1, np.float64(0.1), 1])
    def test_keeps_float32_whatever_the_type_of_dt(self, integrator, dt):
        start = jax.tree.map(lambda x: x.astype(jnp.float32), _start("two_body"))
        integrate = lambda state: rollout(_PROBLEMS["two_body"][0], state, dt, 3, integrator, substeps=2)
        path = jax.eval_shape(integrate, start)
        self.assertEqual((path.q.dtype, path.p.dtype), (jnp.float32, jnp.float32))

    def test_accepts_numpy_arrays_and_numbers(self):
        hamiltonian = separable(lambda p: p**2 / 2.0, lambda q: q**2 / 2.0)
        path = rollout(hamiltonian, PhaseState(1.0, np.float64(0.0)), 0.1, 3)
        self.assertEqual(path.q.shape, (4,))

    def test_wrong_arguments_say_what_is_wrong(self):
        hamiltonian, start = _PROBLEMS["pendulum"][0], _start("pendulum")
        with self.assertRaisesRegex(ValueError, "'verlet'.*euler, symplectic_euler, leapfrog, yoshida4, rk4"):
            rollout(hamiltonian, start, 0.1, 3, "verlet")
        with self.assertRaisesRegex(ValueError, "num_steps must be 0 or more, got -1"):
            rollout(hamiltonian, start, 0.1, -1)
        with self.assertRaisesRegex(ValueError, "substeps must be 1 or more, got 0"):
            rollout(hamiltonian, start, 0.1, 3, substeps=0)
        with self.assertRaisesRegex(AssertionError, "shape"):
            rollout(hamiltonian, PhaseState(jnp.ones(1), jnp.ones((2, 1))), 0.1, 3)
        with self.assertRaisesRegex(AssertionError, "type"):
            rollout(hamiltonian, PhaseState(jnp.ones(1, jnp.int32), jnp.ones(1, jnp.int32)), 0.1, 3)


class RegistryTest(parameterized.TestCase):
    def test_holds_the_documented_methods(self):
        self.assertEqual({name: method.order for name, method in INTEGRATORS.items()}, _ORDERS)
        for name in _ORDERS:
            self.assertIs(get_integrator(name), INTEGRATORS[name])
            self.assertEqual(get_integrator(name).name, name)

    @parameterized.parameters(*_ORDERS)
    def test_coefficients_compose_the_step(self, integrator):
        """Kicks and drifts one by one take the pendulum where the step does."""
        method, dt = INTEGRATORS[integrator], 0.3
        if integrator not in _SYMPLECTIC:
            self.assertEqual((method.kicks, method.drifts), ((), ()))
            return
        self.assertAlmostEqual(sum(method.kicks), 1.0, places=14)
        self.assertAlmostEqual(sum(method.drifts), 1.0, places=14)
        q, p = _start("pendulum")
        for kick, drift in zip(method.kicks, (*method.drifts, 0.0), strict=True):
            p = p + kick * dt * _pendulum_field(q, p)[1]
            q = q + drift * dt * _pendulum_field(q, p)[0]
        with jax.enable_x64(True):
            path = _rollout(systems.pendulum().hamiltonian, _start("pendulum"), dt, 1, integrator)
        self.assertLess(_distance(_at(path, 1), (q, p)), 1e-14)

    def test_unknown_name_lists_the_names(self):
        with self.assertRaisesRegex(ValueError, "'Leapfrog'.*euler, symplectic_euler, leapfrog, yoshida4, rk4"):
            get_integrator("Leapfrog")


class Float32Test(parameterized.TestCase):
    def test_restores_the_precision_that_models_use(self):
        """Guards the other test files: nothing here may leave float64 on."""
        self.assertEqual(jnp.ones(1).dtype, jnp.float32)
        path = rollout(systems.pendulum().hamiltonian, PhaseState(jnp.ones(1), jnp.zeros(1)), 0.125, 30)
        self.assertEqual(path.q.dtype, jnp.float32)
        energy = systems.pendulum().hamiltonian(path)
        np.testing.assert_allclose(energy, energy[0], rtol=0.1)


if __name__ == "__main__":
    absltest.main()
