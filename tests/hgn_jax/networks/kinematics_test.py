"""Tests of `hgn_jax.networks.kinematics`."""

import jax
import numpy as np
from absl.testing import parameterized
from hypothesis import given
from hypothesis import strategies as st

from hgn_jax.networks.kinematics import even_and_odd, fit_middle, middle_of_window, on_circle
from tests.hgn_jax.models.random_params import random_params

_DT = 0.125


class FitMiddleTest(parameterized.TestCase):
    @given(
        size=st.sampled_from([(3, 1), (3, 2), (5, 2), (5, 4), (7, 2), (11, 4)]), dt=st.floats(0.02, 1.0),
        seed=st.integers(0, 1000), offset=st.floats(-5.0, 5.0),
    )  # fmt: skip
    def test_is_exact_for_polynomials_of_the_degree_fitted(self, size, dt, seed, offset):
        """Whenever the clip begins: the polynomial is one in the time since an arbitrary beginning."""
        num_frames, degree = size
        polynomial = np.polynomial.Polynomial(np.random.default_rng(seed).normal(size=degree + 1))
        middle = offset + num_frames // 2 * dt
        times = offset + dt * np.arange(num_frames)
        position, velocity = (weights @ polynomial(times) for weights in fit_middle(num_frames, dt, degree))
        scale = np.abs(polynomial(times)).max()  # the weights are in single precision
        self.assertAlmostEqual(position, polynomial(middle), delta=1e-6 * scale)
        self.assertAlmostEqual(velocity, polynomial.deriv()(middle), delta=2e-6 * scale / dt)

    def test_of_three_frames_is_the_central_difference(self):
        position, velocity = fit_middle(3, 0.25, 2)
        np.testing.assert_allclose(position, [0.0, 1.0, 0.0], atol=1e-7)
        np.testing.assert_allclose(velocity, [-2.0, 0.0, 2.0], atol=1e-6)


class TimeReversalTest(parameterized.TestCase):
    @given(d=st.integers(1, 4), seed=st.integers(0, 1000))
    def test_even_and_odd_parts(self, d, seed):
        forward, backward = np.random.default_rng(seed).normal(size=(2, 3, 2 * d)).astype(np.float32)
        answer, reversed_answer = even_and_odd(forward, backward), even_and_odd(backward, forward)
        np.testing.assert_array_equal(reversed_answer[:, :d], answer[:, :d])
        np.testing.assert_array_equal(reversed_answer[:, d:], -answer[:, d:])
        # Nothing else is lost: what is even, or odd, already stays as it is.
        np.testing.assert_array_equal(even_and_odd(answer, reversed_answer), answer)

    @parameterized.parameters((3, False), (5, False), (5, True))
    def test_a_reversed_window_has_the_same_position_and_the_opposite_velocity(self, num_frames, angles):
        middle = middle_of_window(num_frames, dim=2, dt=0.125, angles=angles)
        params = random_params(middle._replace(init=lambda key, _: middle.init(key)), None, dtype=np.float32)
        window = np.random.default_rng(0).normal(size=(4, num_frames, 2)).astype(np.float32)
        if angles:
            window = (np.cumsum(window, axis=1) + 2 * np.pi) % (2 * np.pi) - np.pi
        apply = jax.jit(middle.apply)
        (q, v), (reversed_q, reversed_v) = apply(params, window), apply(params, window[:, ::-1])
        np.testing.assert_allclose(reversed_q, q, atol=1e-5)
        np.testing.assert_allclose(reversed_v, -v, atol=1e-5)
        fit = np.einsum("btd,t->bd", window, fit_middle(num_frames, 0.125, 2)[0])
        self.assertGreater(np.abs(q - fit).max(), 1e-2)  # the network does correct it

    def test_starts_near_the_polynomial(self):
        window = np.random.default_rng(0).normal(size=(4, 5, 2)).astype(np.float32)
        for answer, weights in zip(_initial_answer(window), fit_middle(5, _DT, 2), strict=True):
            np.testing.assert_allclose(answer, np.einsum("btd,t->bd", window, weights), atol=0.02)


class AnglesTest(parameterized.TestCase):
    @parameterized.parameters(0.3, -0.7)
    def test_rotation_goes_on_where_angles_jump(self, step):
        """A wheel has one velocity everywhere, and its angle is that of the frame in the middle."""
        middle_angle = np.linspace(-3.1, 3.1, 12)[:, None, None]
        turned = middle_angle + step * np.arange(-2, 3)[:, None]
        seen = np.angle(np.exp(1j * turned)).astype(np.float32)  # in [-pi, pi]
        self.assertGreater(np.abs(np.diff(seen, axis=1)).max(), 5.0)
        q, v = _initial_answer(seen, angles=True)
        np.testing.assert_allclose(q, middle_angle[:, 0], atol=0.02)
        np.testing.assert_allclose(v, step / _DT, atol=0.02)

    def test_points_on_the_circle(self):
        angles = np.random.default_rng(0).uniform(-9, 9, (3, 2))
        expected = np.exp(1j * angles)
        np.testing.assert_allclose(on_circle(angles), np.concatenate([expected.imag, expected.real], 1), atol=1e-6)


def _initial_answer(window, angles=False):
    middle = middle_of_window(window.shape[1], window.shape[2], _DT, angles=angles)
    return jax.jit(lambda window: middle.apply(middle.init(jax.random.PRNGKey(0)), window))(window)
