"""Tests of `hgn_jax.models.densities`."""

import functools
import math

import chex
import jax
import jax.numpy as jnp
import numpy as np
import scipy.integrate
import scipy.stats
from absl.testing import parameterized

from hgn_jax.models import densities
from hgn_jax.models.densities import TARGETS

# Every kind of density of the plane: the targets, the priors, and what differs from the defaults.
_PLANE = TARGETS | {
    "normal": lambda: densities.normal(2),
    "soft_uniform": lambda: densities.soft_uniform(2),
    "unequal_mixture": lambda: densities.gaussian_mixture([[-2.0, 1.0], [0.5, -1.0], [3.0, 2.0]], 0.4, [1.0, 5.0, 2.0]),
    "blurred_moons": lambda: densities.two_moons(radius=1.5, scale=0.4),
    "two_rings": lambda: densities.rings([1.5, 3.0], 0.3),
    "three_arms": lambda: densities.pinwheel(3, 1.5, 0.5, 0.3, twist=-1.0),
    "small_board": lambda: densities.checkerboard(6, 1.0),
}
# One of each with a gradient.
_SMOOTH = ("normal", "soft_uniform", "unequal_mixture", "two_moons", "rings", "pinwheel")

_HALF, _CELLS = 6.0, 240  # a grid of squares 0.05 wide on [-6, 6]^2; edges of boards fall between them
_AREA = (2 * _HALF / _CELLS) ** 2
_NUM_SAMPLES = 19_200
_BLOCK = 2400  # points evaluated at once: divides the numbers of squares and of samples, so that one compilation serves


class Float64TestCase(parameterized.TestCase):
    def setUp(self):
        super().setUp()
        self.enter_context(jax.enable_x64(True))


@functools.cache
def _log_prob(name):
    """The compiled log density, for float64 points `[n, 2]` with n a multiple of `_BLOCK`."""
    compiled = jax.jit(_PLANE[name]().log_prob)
    return lambda points: np.concatenate([compiled(block) for block in points.reshape(-1, _BLOCK, 2)])


@functools.cache
def _grid_log_prob(name):
    """Log density at the centres of the grid's squares, `[_CELLS, _CELLS]`."""
    ticks = (np.arange(_CELLS) + 0.5) * 2 * _HALF / _CELLS - _HALF
    points = np.stack(np.meshgrid(ticks, ticks, indexing="ij"), axis=-1)
    return _log_prob(name)(points).reshape(_CELLS, _CELLS)


def _entropy(name):
    log_prob = _grid_log_prob(name)
    log_prob = log_prob[log_prob > -np.inf]
    return -np.sum(np.exp(log_prob) * log_prob) * _AREA


def _samples_again(name, seed):
    with jax.debug_key_reuse(True):  # fails if a key serves twice, which would tie the choices to the noise
        return np.asarray(_PLANE[name]().sample(jax.random.key(seed), _NUM_SAMPLES))


_samples = functools.cache(_samples_again)


@functools.cache
def _values_and_gradients(name, dtype):
    """At 40 random points, at those moved by `_STEP` along -x, x, -y and y, and at `_EXTREMES`; one point at a time."""
    compiled = jax.jit(jax.vmap(jax.value_and_grad(_PLANE[name]().log_prob)))
    values, gradients = compiled(jnp.asarray(np.concatenate([_POINTS.reshape(-1, 2), _EXTREMES]), dtype))
    assert values.dtype == gradients.dtype == dtype
    return np.asarray(values), np.asarray(gradients)


_STEP = 1e-5
_CENTRES = np.concatenate([np.random.default_rng(1).uniform(-4, 4, (39, 2)), np.zeros((1, 2))])
_POINTS = _CENTRES + _STEP * np.array([[[0, 0]], [[-1, 0]], [[1, 0]], [[0, -1]], [[0, 1]]])
_EXTREMES = np.array([[1e4, 0], [0, -1e4], [1e4, 1e4], [-1e4, 3], [7e3, -7e3], [30, 40], [0, 0], [0, 1e-9]])


def _evaluate(density, x):
    """The log density, compiled as a whole: faster than operation by operation."""
    return np.asarray(jax.jit(density.log_prob)(jnp.asarray(x)))


def _draw(density, num_samples):
    """Samples, compiled as a whole."""
    return np.asarray(jax.jit(density.sample, static_argnums=1)(jax.random.key(0), num_samples))


def _rotation(angle):
    return np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])


class PlaneDensityTest(Float64TestCase):
    @parameterized.parameters(*_PLANE)
    def test_integrates_to_one(self, name):
        tolerance = 1e-12 if "board" in name else 1e-4
        self.assertAlmostEqual(np.sum(np.exp(_grid_log_prob(name))) * _AREA, 1.0, delta=tolerance)

    @parameterized.parameters(*_PLANE)
    def test_samples_have_the_masses_of_the_cells_of_a_grid(self, name):
        masses = np.exp(_grid_log_prob(name)).reshape(30, 8, 30, 8).sum(axis=(1, 3)).ravel() * _AREA
        edges = np.linspace(-_HALF, _HALF, 31)
        counts = np.histogram2d(*_samples(name, 7).T, bins=[edges, edges])[0].ravel()
        expected = masses * _NUM_SAMPLES
        # Cells with few samples, such as the empty cells of a board, and the region outside the grid count as one cell.
        common = expected >= 10
        rest, expected_rest = _NUM_SAMPLES - counts[common].sum(), _NUM_SAMPLES - expected[common].sum()
        self.assertLessEqual(rest, expected_rest + 5 * math.sqrt(max(expected_rest, 0.0)) + 1e-6)
        statistic = np.sum((counts - expected)[common] ** 2 / expected[common])
        self.assertGreater(scipy.stats.chi2.sf(statistic, df=common.sum() - 1), 1e-4)

    @parameterized.parameters(*_PLANE)
    def test_mean_log_density_of_samples_is_minus_the_entropy(self, name):
        log_prob = _log_prob(name)(_samples(name, 7))
        error = np.std(log_prob) / math.sqrt(_NUM_SAMPLES)
        self.assertAlmostEqual(np.mean(log_prob), -_entropy(name), delta=4 * error + 1e-9)

    @parameterized.parameters(*_PLANE)
    def test_batch_axes_and_precision(self, name):
        density = _PLANE[name]()
        self.assertEqual(density.dim, 2)
        for batch, dtype in (((), "float32"), ((5,), "float64"), ((2, 3), "float32"), ((2, 0), "float64")):
            log_prob = jax.eval_shape(density.log_prob, jax.ShapeDtypeStruct((*batch, 2), dtype))
            self.assertEqual((log_prob.shape, log_prob.dtype), (batch, dtype))
        self.assertEqual(jax.eval_shape(density.log_prob, np.array([1, 2])).dtype, jnp.float64)
        with self.assertRaises(AssertionError):
            density.log_prob(np.zeros((4, 1)))

    @parameterized.parameters(*_PLANE)
    def test_samples_depend_on_the_key_alone(self, name):
        first, other = _samples(name, 7), _samples(name, 8)
        self.assertEqual(first.shape, (_NUM_SAMPLES, 2))
        np.testing.assert_array_equal(first, _samples_again(name, 7))
        self.assertLess(np.mean(np.all(first == other, axis=1)), 1e-3)
        self.assertLess(np.mean(np.all(first[1:] == first[:-1], axis=1)), 1e-3)
        with jax.enable_x64(False):
            draw = functools.partial(_PLANE[name]().sample, num_samples=3)
            self.assertEqual(jax.eval_shape(draw, jax.random.key(0)).dtype, jnp.float32)

    @parameterized.product(name=_SMOOTH, dtype=["float32", "float64"])
    def test_value_and_gradient_are_finite_far_away_and_at_the_origin(self, name, dtype):
        values, gradients = _values_and_gradients(name, dtype)
        self.assertTrue(np.isfinite(values).all())
        self.assertTrue(np.isfinite(gradients).all())
        self.assertLess(np.max(values[-len(_EXTREMES) :][:5]), -1000.0)

    @parameterized.parameters(*_SMOOTH)
    def test_gradient_is_the_slope_of_the_value(self, name):
        values, gradients = (x[: 5 * 40] for x in _values_and_gradients(name, "float64"))
        _, left, right, below, above = values.reshape(5, 40)
        slopes = np.stack([right - left, above - below], axis=-1) / (2 * _STEP)
        np.testing.assert_allclose(gradients[:40], slopes, rtol=1e-5, atol=1e-5)

    @parameterized.parameters(*_SMOOTH)
    def test_single_precision_and_single_points_agree(self, name):
        near = slice(5 * 40)
        single, double = (_values_and_gradients(name, dtype)[0][near] for dtype in ("float32", "float64"))
        np.testing.assert_allclose(single, double, rtol=1e-5, atol=1e-4)
        together = _log_prob(name)(np.resize(_CENTRES, (_BLOCK, 2)))
        np.testing.assert_allclose(double[:40], together[:40], rtol=1e-12, atol=1e-12)

    @parameterized.parameters(*TARGETS)
    def test_targets_have_their_names_and_fit_the_plotted_square(self, name):
        density = densities.get_target(name)
        self.assertEqual(density.name, name)
        samples = _samples(name, 7)
        self.assertGreater(np.mean(np.abs(samples).max(axis=1) < 4), 0.99)
        np.testing.assert_allclose(samples.mean(axis=0), 0.0, atol=0.25)
        np.testing.assert_array_less(np.abs(density.modes), 4.0)


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

    def test_four_modes_has_twice_the_entropy_of_a_coordinate(self):
        """The coordinates are independent, and the two modes of each hardly overlap."""
        p = lambda x: 0.5 * (scipy.stats.norm.pdf(x, -2, 0.5) + scipy.stats.norm.pdf(x, 2, 0.5))
        coordinate = 2 * scipy.integrate.quad(lambda x: -p(x) * math.log(p(x)), 0, 10, points=[2], limit=100)[0]
        self.assertAlmostEqual(_entropy("four_modes"), 2 * coordinate, places=6)
        self.assertAlmostEqual(_entropy("four_modes"), math.log(4) + math.log(2 * math.pi * math.e / 4), delta=5e-4)


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


class ArgumentsTest(parameterized.TestCase):
    @parameterized.parameters(
        ("dim must be a whole number, 1 or more, got 0", lambda: densities.normal(0)),
        ("dim must be .* got 1.5", lambda: densities.soft_uniform(1.5)),
        ("scale must be a positive number, got -1", lambda: densities.normal(2, -1)),
        ("scale must be .* got nan", lambda: densities.normal(2, math.nan)),
        ("width must be .* got 0", lambda: densities.soft_uniform(2, width=0)),
        ("sharpness must be .* got inf", lambda: densities.soft_uniform(2, sharpness=math.inf)),
        ("means must be .* got \\[1.0, 2.0\\]", lambda: densities.gaussian_mixture([1.0, 2.0], 1.0)),
        ("means must be .* got \\[\\]", lambda: densities.gaussian_mixture(np.zeros((0, 2)), 1.0)),
        ("means must be .* got \\[\\[nan\\]\\]", lambda: densities.gaussian_mixture([[math.nan]], 1.0)),
        ("scale must be .* got 0", lambda: densities.gaussian_mixture([[0.0]], 0)),
        ("weights must be 1 positive .* got \\[1.0, 1.0\\]", lambda: densities.gaussian_mixture([[0.0]], 1.0, [1, 1])),
        ("weights must be .* got \\[1.0, 0.0\\]", lambda: densities.gaussian_mixture([[0.0], [1.0]], 1.0, [1, 0])),
        ("num_modes must be .* got 0", lambda: densities.ring_mixture(0, 1.0, 1.0)),
        ("radius must be .* got -1", lambda: densities.ring_mixture(3, -1, 1.0)),
        ("scale must be .* got 0", lambda: densities.ring_mixture(3, 1.0, 0)),
        ("modes_per_side must be .* got -2", lambda: densities.grid_mixture(-2, 1.0, 1.0)),
        ("spacing must be .* got 0", lambda: densities.grid_mixture(2, 0, 1.0)),
        ("radius must be .* got 0", lambda: densities.two_moons(radius=0)),
        ("scale must be .* got -0.1", lambda: densities.two_moons(scale=-0.1)),
        ("scale >= radius / 100, got scale=0.01 and radius=2.0", lambda: densities.two_moons(scale=0.01)),
        ("at least one radius", lambda: densities.rings([], 0.1)),
        ("radius must be .* got -1.0", lambda: densities.rings([1.0, -1.0], 0.1)),
        ("scale must be .* got 0", lambda: densities.rings([1.0], 0)),
        ("num_arms must be .* got 0", lambda: densities.pinwheel(0)),
        ("distance must be .* got 0", lambda: densities.pinwheel(distance=0)),
        ("radial_scale must be .* got 0", lambda: densities.pinwheel(radial_scale=0)),
        ("tangential_scale must be .* got 0", lambda: densities.pinwheel(tangential_scale=0)),
        ("twist must be a finite number, got nan", lambda: densities.pinwheel(twist=math.nan)),
        ("squares_per_side must be even, got 3", lambda: densities.checkerboard(3)),
        ("squares_per_side must be a whole .* got 0", lambda: densities.checkerboard(0)),
        ("width must be .* got 0", lambda: densities.checkerboard(width=0)),
        (
            "'four_mode'.*two_modes, four_modes, .*, two_moons, rings, pinwheel, checkerboard",
            lambda: densities.get_target("four_mode"),
        ),
    )
    def test_refuses_bad_arguments_in_one_line(self, message, make):
        with self.assertRaisesRegex(ValueError, message) as caught:
            make()
        self.assertNotIn("\n", str(caught.exception))
