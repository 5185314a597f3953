"""The densities in `hgn_jax.models.densities` against scipy, quadrature and their definitions."""

import math

import chex
import jax
import jax.numpy as jnp
import numpy as np
import scipy.integrate
import scipy.stats
from absl.testing import parameterized

from hgn_jax.models import densities
from tests.hgn_jax.float64 import Float64TestCase


def _evaluate(density, x):
    """The log density, compiled as a whole: faster than operation by operation."""
    return np.asarray(jax.jit(density.log_prob)(jnp.asarray(x)))


def _draw(density, num_samples):
    """Samples, compiled as a whole."""
    return np.asarray(jax.jit(density.sample, static_argnums=1)(jax.random.key(0), num_samples))


def _rotation(angle):
    return np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])


class PriorTest(Float64TestCase):
    @parameterized.parameters((1, 1.0), (3, 0.3))
    def test_normal_agrees_with_scipy(self, dim, scale):
        density = densities.normal(dim, scale)
        x = np.random.default_rng(0).normal(size=(50, dim))
        expected = scipy.stats.norm(scale=scale).logpdf(x).sum(axis=-1)
        np.testing.assert_allclose(_evaluate(density, x), expected, rtol=1e-12)
        samples = _draw(density, 5000)
        for column in samples.T:
            self.assertGreater(scipy.stats.kstest(column, scipy.stats.norm(scale=scale).cdf).pvalue, 1e-4)

    @parameterized.parameters((0.3, 0.5), (5.0, 3.0))
    def test_soft_uniform_is_uniform_plus_logistic(self, width, sharpness):
        logistic = scipy.stats.logistic(scale=1 / sharpness)

        def probability(s):  # the logistic density, averaged over the uniform variable
            return (logistic.cdf(s + width / 2) - logistic.cdf(s - width / 2)) / width

        ticks = np.linspace(-width / 2 - 20 / sharpness, width / 2 + 20 / sharpness, 10_001)
        cumulative = scipy.integrate.cumulative_trapezoid(probability(ticks), ticks, initial=0)
        density = densities.soft_uniform(3, width, sharpness)
        x = np.random.default_rng(0).uniform(-0.7 * width, 0.7 * width, (50, 3))
        np.testing.assert_allclose(_evaluate(density, x), np.log(probability(x)).sum(axis=-1), rtol=1e-7)
        for column in _draw(density, 5000).T:
            self.assertGreater(scipy.stats.kstest(column, lambda s: np.interp(s, ticks, cumulative)).pvalue, 1e-4)

    @parameterized.parameters((0.1, 0.5), (1.0, 1.0), (3.0, 4.0), (4.0, 8.0), (0.5, 40.0), (6.0, 30.0))
    def test_normaliser_of_soft_uniform_agrees_with_quadrature(self, width, sharpness):
        """The integral of the product of sigmoids is w / (1 - exp(-b w))."""

        def sigmoid(s):
            return 1 / (1 + math.exp(-s))

        def product(s):
            return sigmoid(sharpness * (s + width / 2)) * sigmoid(-sharpness * (s - width / 2))

        reach = width / 2 + 40 / sharpness
        edges = [-width / 2, width / 2]
        integral = scipy.integrate.quad(product, -reach, reach, points=edges, epsabs=0, epsrel=1e-10, limit=200)[0]
        self.assertAlmostEqual(integral * (1 - math.exp(-sharpness * width)) / width, 1.0, places=9)
        density = densities.soft_uniform(1, width, sharpness)
        for s in (0.0, 0.3 * width, width):
            self.assertAlmostEqual(float(_evaluate(density, [s])), math.log(product(s) / integral), places=8)

    def test_sharp_soft_uniform_is_uniform(self):
        density = densities.soft_uniform(2, width=3.0, sharpness=1e5)
        np.testing.assert_allclose(_evaluate(density, [[0.0, 0.0], [1.49, -1.4]]), -2 * math.log(3.0), rtol=1e-12)
        np.testing.assert_array_less(_evaluate(density, [[1.51, 0.0], [0.0, -1.6]]), -900.0)
        np.testing.assert_array_less(np.abs(_draw(density, 1000)), 1.5 + 1e-3)

    @parameterized.parameters(1e-6, 1e-12, 1e-100)
    def test_narrow_soft_uniform_is_logistic(self, width):
        x = np.linspace(-5, 5, 11)[:, None]
        expected = scipy.stats.logistic(scale=0.5).logpdf(x[:, 0])
        np.testing.assert_allclose(_evaluate(densities.soft_uniform(1, width, 2.0), x), expected, rtol=1e-9)

    @parameterized.parameters("float32", "float64")
    def test_soft_uniform_falls_linearly_far_away(self, dtype):
        density = densities.soft_uniform(1, 4.0, 8.0)
        self.assertAlmostEqual(float(_evaluate(density, jnp.array([1e4], dtype))) / (-8.0 * 9998), 1.0, places=4)
        gradients = jax.jit(jax.vmap(jax.grad(density.log_prob)))(jnp.array([[1e4], [-1e4], [0.0]], dtype))
        np.testing.assert_allclose(gradients, [[-8], [8], [0]], atol=1e-5)


class MixtureTest(Float64TestCase):
    @parameterized.parameters(1, 2, 5)
    def test_mixture_agrees_with_scipy(self, dim):
        rng = np.random.default_rng(dim)
        means, weights = rng.normal(size=(4, dim)), np.array([1.0, 2.0, 3.0, 10.0])
        x = rng.normal(scale=2.0, size=(30, dim))
        parts = np.stack([scipy.stats.multivariate_normal(mean, 0.7**2 * np.eye(dim)).pdf(x) for mean in means])
        weighted = densities.gaussian_mixture(means, 0.7, weights)
        np.testing.assert_allclose(_evaluate(weighted, x), np.log(weights / 16 @ parts.reshape(4, 30)), rtol=1e-10)
        equal = densities.gaussian_mixture(means, 0.7)
        np.testing.assert_allclose(_evaluate(equal, x), np.log(parts.reshape(4, 30).mean(axis=0)), rtol=1e-10)

    def test_samples_in_five_dimensions_have_the_means_and_weights(self):
        means, weights = 10.0 * np.eye(5), np.arange(1.0, 6.0)
        samples = _draw(densities.gaussian_mixture(means, 0.5, weights), 15_000)
        nearest = np.argmax(samples, axis=1)
        self.assertGreater(scipy.stats.chisquare(np.bincount(nearest), 1000 * weights).pvalue, 1e-4)
        noise = (samples - means[nearest]).T
        for column in noise:
            self.assertGreater(scipy.stats.kstest(column, scipy.stats.norm(scale=0.5).cdf).pvalue, 1e-4)
        np.testing.assert_allclose(np.corrcoef(noise), np.eye(5), atol=0.04)

    @parameterized.parameters("float32", "float64")
    def test_far_away_only_the_nearest_mean_pulls(self, dtype):
        density = densities.get_target("four_modes")
        gradient = jax.jit(jax.grad(density.log_prob))(jnp.array([1e4, -1e4], dtype))
        np.testing.assert_allclose(gradient, [-9998 / 0.25, 9998 / 0.25], rtol=1e-5)

    def test_ring_of_eight_has_the_usual_modes(self):
        density = densities.get_target("ring_of_eight")
        chex.assert_shape(density.modes, (8, 2))
        np.testing.assert_allclose(np.linalg.norm(density.modes, axis=1), 4 / math.sqrt(2), rtol=1e-12)
        np.testing.assert_allclose(density.modes[:2], [[2 * math.sqrt(2), 0], [2, 2]], atol=1e-12)
        angles = np.arctan2(density.modes[:, 1], density.modes[:, 0]) % (2 * math.pi)
        np.testing.assert_allclose(angles, np.arange(8) * math.pi / 4, atol=1e-12)
        peak = -math.log(8) - math.log(2 * math.pi * 0.125)  # of one Gaussian of variance 1/8, the others being far
        np.testing.assert_allclose(_evaluate(density, density.modes), peak, atol=1e-6)

    @parameterized.parameters(
        ("four_modes", [-2, 2], 0.5), ("nine_modes", [-2, 0, 2], 0.3), ("grid_of_25", [-3, -1.5, 0, 1.5, 3], 0.2)
    )
    def test_grids(self, name, ticks, scale):
        density = densities.get_target(name)
        self.assertCountEqual([tuple(mode) for mode in density.modes], [(x, y) for x in ticks for y in ticks])
        parts = [scipy.stats.multivariate_normal([x, y], scale**2).pdf([0.3, -0.4]) for x in ticks for y in ticks]
        self.assertAlmostEqual(float(_evaluate(density, [0.3, -0.4])), math.log(np.mean(parts)), places=10)


class CurveTest(Float64TestCase):
    @parameterized.parameters((2.0, 0.2), (1.0, 0.5), (3.0, 0.1))
    def test_two_moons_is_the_integral_over_the_arcs(self, radius, scale):
        density = densities.two_moons(radius, scale)
        points = np.random.default_rng(0).uniform(-1.5 * radius, 1.5 * radius, (5, 2))
        points = np.concatenate([points, [[2 * radius, -2 * radius]], np.zeros((1, 2))])

        def log_arc(x, start, centre):
            """Log of the mean Gaussian over the half circle of angles start ... start + pi."""

            def square(angle):
                return (x[0] - centre[0] - radius * math.cos(angle)) ** 2 + (
                    x[1] - centre[1] - radius * math.sin(angle)
                ) ** 2

            nearest = min(np.linspace(start, start + math.pi, 201), key=square)
            least = square(nearest)
            integral, _ = scipy.integrate.quad(
                lambda angle: math.exp((least - square(angle)) / (2 * scale**2)),
                start,
                start + math.pi,
                points=[nearest],
                epsabs=0,
                epsrel=1e-11,
                limit=500,
            )
            return math.log(integral / math.pi) - least / (2 * scale**2) - math.log(2 * math.pi * scale**2)

        upper = [log_arc(x, 0.0, (-radius / 2, -radius / 4)) for x in points]
        lower = [log_arc(x, math.pi, (radius / 2, radius / 4)) for x in points]
        expected = np.logaddexp(upper, lower) - math.log(2)
        np.testing.assert_allclose(_evaluate(density, points), expected, rtol=0, atol=1e-8)

    def test_two_moons_are_centred_and_each_reflects_the_other(self):
        density = densities.get_target("two_moons")
        x = np.random.default_rng(0).uniform(-4, 4, (20, 2))
        log_prob = jax.jit(density.log_prob)
        np.testing.assert_allclose(log_prob(x), log_prob(-x), rtol=1e-12)
        self.assertEqual(density.modes.shape, (0, 2))

    @parameterized.parameters(((1.0, 2.0, 3.0), 0.15), ((2.0,), 0.5), ((0.5, 3.0), 0.3))
    def test_rings_are_the_mean_over_the_circles(self, radii, scale):
        density = densities.rings(radii, scale)
        x = np.concatenate([np.random.default_rng(0).uniform(-4, 4, (30, 2)), np.zeros((1, 2))])
        angles = 2 * np.pi * np.arange(1000) / 1000  # the trapezoidal rule is exact for periodic functions
        circles = np.concatenate([r * np.stack([np.cos(angles), np.sin(angles)], axis=-1) for r in radii])
        squares = np.sum((x[:, None] - circles) ** 2, axis=-1) / (2 * scale**2)
        expected = scipy.special.logsumexp(-squares, axis=1) - math.log(len(circles) * 2 * math.pi * scale**2)
        np.testing.assert_allclose(_evaluate(density, x), expected, rtol=1e-10)
        self.assertEqual(density.modes.shape, (0, 2))

    def test_pinwheel_has_the_height_of_the_straight_gaussians(self):
        density = densities.pinwheel(3, 2.0, 0.4, 0.1, twist=0.7)
        straight = scipy.stats.multivariate_normal([2.0, 0.0], np.diag([0.4**2, 0.1**2]))
        for point in np.array([[2.0, 0.0], [1.5, 0.1], [2.6, -0.15]]):
            angles = 2 * np.pi * np.arange(3) / 3 + 0.7 * np.linalg.norm(point)
            turned = np.stack([_rotation(angle) @ point for angle in angles])
            expected = math.log(straight.pdf(point) / 3)  # the other arms are far away
            np.testing.assert_allclose(_evaluate(density, turned), expected, rtol=0, atol=1e-8)

    def test_pinwheel_has_its_modes_at_the_centres_of_the_arms(self):
        density = densities.get_target("pinwheel")
        chex.assert_shape(density.modes, (5, 2))
        peak = -math.log(5 * 2 * math.pi * 0.6 * 0.15)
        np.testing.assert_allclose(_evaluate(density, density.modes), peak, atol=1e-2)
        gradients = jax.jit(jax.vmap(jax.grad(density.log_prob)))(density.modes)
        np.testing.assert_allclose(gradients, 0.0, atol=0.05)


class CheckerboardTest(Float64TestCase):
    def test_is_uniform_on_every_other_square(self):
        density = densities.get_target("checkerboard")
        on = [[-3.9, -3.9], [-2.1, -2.1], [-1.0, -1.0], [-3.0, 1.0], [0.1, 0.1], [3.9, 3.9], [3.0, -1.0]]
        off = [[-3.0, -1.0], [-0.1, 0.1], [3.0, 1.0], [3.9, -3.9], [4.1, 4.1], [-4.1, -3.9], [5.0, 3.0], [1e4, 1e4]]
        np.testing.assert_allclose(_evaluate(density, on), -math.log(32.0), rtol=1e-14)
        np.testing.assert_array_equal(_evaluate(density, off), -np.inf)
        gradients = jax.jit(jax.vmap(jax.grad(density.log_prob)))(np.array(on + off))
        np.testing.assert_array_equal(gradients, 0.0)

    def test_modes_are_the_centres_of_the_squares(self):
        centres = [(x, y) for x in (-3, -1, 1, 3) for y in (-3, -1, 1, 3) if (x + y) % 4 == 2]
        modes = densities.get_target("checkerboard").modes
        self.assertCountEqual([tuple(mode) for mode in modes], centres)

    def test_no_sample_of_single_precision_is_off_the_squares(self):
        with jax.enable_x64(False):
            density = densities.get_target("checkerboard")
            log_prob = _evaluate(density, _draw(density, 400_000))
            np.testing.assert_allclose(log_prob, -math.log(32.0), rtol=1e-6)
