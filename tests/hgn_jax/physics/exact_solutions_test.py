"""Rollouts against motions that are known in closed form, and the conservation of energy."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import scipy.special
from absl.testing import parameterized

from hgn_jax import PhaseState, rollout
from hgn_jax.physics import systems
from tests.hgn_jax.float64 import Float64TestCase
from tests.hgn_jax.physics.paths import at, distance, integrate

_START = PhaseState(np.array([0.4]), np.array([0.3]))


class OscillatorTest(Float64TestCase):
    @parameterized.parameters(("euler", 1), ("rk4", 4))
    def test_runge_kutta_step_is_the_taylor_polynomial(self, integrator, order):
        """On H = (q^2 + p^2) / 2 a step multiplies z = q + ip by the truncated series of exp(-i dt)."""
        dt = 0.4
        z = complex(0.4, 0.3) * sum((-1j * dt) ** k / math.factorial(k) for k in range(order + 1))
        path = integrate(systems.mass_spring(k=1.0, m=1.0).hamiltonian, _START, dt, 1, integrator)
        self.assertLess(distance(at(path, -1), (np.array([z.real]), np.array([z.imag]))), 1e-15)

    def test_swings_at_its_frequency(self):
        """q = A cos(w t) + B sin(w t) with w^2 = k / m = 4."""
        path = integrate(systems.mass_spring(k=2.0, m=0.5).hamiltonian, _START, 0.125, 30, "rk4", substeps=50)
        angles = 2.0 * 0.125 * np.arange(31)
        q = 0.4 * np.cos(angles) + 0.3 * np.sin(angles)  # dq/dt = p / m = 0.6 = 2 * 0.3 at the start
        p = -0.4 * np.sin(angles) + 0.3 * np.cos(angles)
        self.assertLess(distance(path, (q[:, None], p[:, None])), 1e-9)

    @parameterized.parameters("leapfrog", "symplectic_euler", "euler")
    def test_keeps_the_discrete_invariant_of_the_method(self, integrator):
        """The discrete motion of a harmonic oscillator has an exact invariant of its own for each method."""
        k, m, dt = 2.0, 0.5, 0.25
        path = integrate(systems.mass_spring(k, m).hamiltonian, _START, dt, 200, integrator)
        q, p = path.q[:, 0], path.p[:, 0]
        invariant = {
            "leapfrog": p**2 / m + k * q**2 * (1.0 - k / m * dt**2 / 4.0),
            "symplectic_euler": p**2 / m + k * q**2 - dt * k / m * q * p,
            "euler": (p**2 / m + k * q**2) / (1.0 + k / m * dt**2) ** np.arange(201),
        }[integrator]
        np.testing.assert_allclose(invariant, invariant[0], rtol=1e-11)


class PendulumTest(Float64TestCase):
    def test_has_the_period_of_the_elliptic_integral(self):
        """d2q/dt2 = -w^2 sin q with w^2 = c g / l, so the period is 4 K(sin^2(A / 2)) / w."""
        m, g, l = 0.5, 3.0, 1.3
        amplitude, factor = (x.ravel() for x in np.meshgrid([0.5, 1.5, 2.5], [1.0, 2.0]))
        frequency = np.sqrt(factor * g / l)
        period = 4.0 * scipy.special.ellipk(np.sin(amplitude / 2.0) ** 2) / frequency

        def swing(amplitude, factor, period):
            hamiltonian = systems.pendulum(m, g, l, factor).hamiltonian
            start = PhaseState(amplitude[None], jnp.zeros(1))
            return rollout(hamiltonian, start, period / 4.0, 4, "yoshida4", substeps=500)

        path = jax.jit(jax.vmap(swing))(amplitude, factor, period)
        top_speed = 2.0 * frequency * np.sin(amplitude / 2.0)  # from the energy, at q = 0
        q = np.outer(amplitude, [1.0, 0.0, -1.0, 0.0, 1.0])
        p = np.outer(m * l**2 * top_speed, [0.0, -1.0, 0.0, 1.0, 0.0])
        self.assertLess(distance(path, (q[..., None], p[..., None])), 1e-8)


class GravityTest(Float64TestCase):
    # Angular speed squared times r^3 / (g m) of a regular polygon: 1/4 for two bodies and 1/sqrt(3) for three.
    @parameterized.parameters((2, 0.25), (3, 1.0 / math.sqrt(3.0)))
    def test_bodies_on_a_circle_stay_and_return(self, num_bodies, attraction):
        radius, m, g = 1.2, 0.7, 1.5
        period = 2.0 * math.pi / math.sqrt(attraction * g * m / radius**3)
        start = systems.circular_orbit(num_bodies, radius, 0.3, m, g)
        hamiltonian = systems.n_body(num_bodies, m, g).hamiltonian
        path = integrate(hamiltonian, start, period / 50, 50, "yoshida4", substeps=20)
        np.testing.assert_allclose(np.linalg.norm(path.q, axis=-1), radius, rtol=1e-8)
        self.assertLess(distance(at(path, -1), start), 1e-7)
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
        start = PhaseState(share[:, None] * np.array([separation, 0.0]), (m * share)[:, None] * np.array([0.0, speed]))
        path = integrate(systems.two_body(m, g).hamiltonian, start, period / 2, 2, "rk4", substeps=2000)
        self.assertLess(distance(at(path, 2), start), 1e-8)
        other_apsis = 2.0 * semi_major - separation
        np.testing.assert_allclose(path.q[1, 0] - path.q[1, 1], [-other_apsis, 0.0], atol=1e-8)

    def test_figure_eight_closes_at_the_order_of_the_method(self):
        """Chenciner and Montgomery (2000), Ann. Math. 152: three bodies chase one another along a figure eight."""
        q = np.array([[0.97000436, -0.24308753], [-0.97000436, 0.24308753], [0.0, 0.0]])
        middle = np.array([-0.93240737, -0.86473146])
        start = PhaseState(q, np.stack([-middle / 2.0, -middle / 2.0, middle]))
        period, hamiltonian = 6.32591398, systems.three_body().hamiltonian
        path = integrate(hamiltonian, start, period / 3.0, 3, "rk4", substeps=1000)
        np.testing.assert_allclose(path.q[1], q[np.array([2, 0, 1])], atol=1e-6)  # each is where another was
        np.testing.assert_allclose(path.q[3], q, atol=1e-6)
        counts = np.array([1000, 2000])
        run = jax.jit(jax.vmap(lambda dt: rollout(hamiltonian, start, dt, 2000, "leapfrog")))
        paths = run(period / counts)
        errors = [np.linalg.norm(paths.q[i, count] - q) for i, count in enumerate(counts)]
        self.assertAlmostEqual(errors[0] / errors[1], 4.0, delta=0.3)


class EnergyTest(Float64TestCase):
    @parameterized.parameters(
        ("symplectic_euler", 0.1, 0.5), ("leapfrog", 0.1, 0.03), ("yoshida4", 0.1, 3e-3),
        ("rk4", 0.1, None), ("euler", 0.002, None),
    )  # fmt: skip
    def test_error_of_symplectic_methods_stays_bounded_and_of_others_grows(self, integrator, dt, bound):
        hamiltonian = systems.pendulum().hamiltonian
        energy = hamiltonian(integrate(hamiltonian, PhaseState(np.array([1.2]), np.array([0.7])), dt, 4000, integrator))
        error = np.abs(energy - energy[0])
        early, late = error[:2000].max(), error[2000:].max()
        if bound is None:
            self.assertGreater(late, 1.5 * early)
        else:
            self.assertLess(early, bound)
            self.assertLess(late, 1.01 * early)
