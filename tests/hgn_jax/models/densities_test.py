"""Properties that every density of the plane in `hgn_jax.models.densities` has, and the arguments that are refused."""

import functools
import math

import jax
import jax.numpy as jnp
import numpy as np
import scipy.integrate
import scipy.stats
from absl.testing import parameterized

from hgn_jax.models import densities
from hgn_jax.models.densities import TARGETS
from tests.hgn_jax.float64 import Float64TestCase

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

    def test_four_modes_has_twice_the_entropy_of_a_coordinate(self):
        """The coordinates are independent, and the two modes of each hardly overlap."""
        p = lambda x: 0.5 * (scipy.stats.norm.pdf(x, -2, 0.5) + scipy.stats.norm.pdf(x, 2, 0.5))
        coordinate = 2 * scipy.integrate.quad(lambda x: -p(x) * math.log(p(x)), 0, 10, points=[2], limit=100)[0]
        self.assertAlmostEqual(_entropy("four_modes"), 2 * coordinate, places=6)
        self.assertAlmostEqual(_entropy("four_modes"), math.log(4) + math.log(2 * math.pi * math.e / 4), delta=5e-4)


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
