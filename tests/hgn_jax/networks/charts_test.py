"""Tests of `hgn_jax.networks.charts`."""

import jax
import jax.numpy as jnp
import numpy as np
from absl.testing import parameterized

from hgn_jax.networks.charts import make_chart

_KEY = jax.random.PRNGKey(0)


class ChartsTest(parameterized.TestCase):
    def test_without_a_chart_coordinates_are_those_of_the_points(self):
        chart, points = make_chart("none", 2, 4), np.random.default_rng(0).normal(size=(3, 4))
        self.assertFalse(chart.angles)
        for params, function in (
            (chart.init_coordinates(_KEY), chart.coordinates),
            (chart.init_points(_KEY), chart.points),
        ):
            self.assertEmpty(jax.tree.leaves(params))
            np.testing.assert_array_equal(function(params, points), points)

    def test_networks_start_nearly_linear(self):
        chart, (x, y) = make_chart("network", 2, 3), np.random.default_rng(0).normal(size=(2, 20, 4)).astype(np.float32)

        def coordinates(key):
            params = chart.init_coordinates(key)
            return jnp.stack([chart.coordinates(params, v) for v in (0 * x, x, y, x + y)])

        origin, at_x, at_y, at_sum = np.asarray(jax.jit(coordinates)(_KEY))
        self.assertEqual(at_x.shape, (20, 3))
        self.assertLess(np.std(at_sum - at_x - at_y + origin), 0.2 * np.std(at_x))
        back = jax.eval_shape(lambda key, q: chart.points(chart.init_points(key), q), _KEY, at_x)
        self.assertEqual(back.shape, (20, 4))

    @parameterized.parameters(1, 3)
    def test_rods_are_angles_from_the_vertical_downwards(self, num_points):
        """Joints placed one after the other, by complex numbers, with the y axis of the picture downwards."""
        rng = np.random.default_rng(num_points)
        angles, lengths = rng.uniform(-3.1, 3.1, (5, num_points)), rng.uniform(0.5, 2.0, num_points)
        pivot = np.array([0.4, -0.8])
        at = np.full(5, complex(*pivot))
        joints = []
        for angle, length in zip(angles.T, lengths, strict=True):
            at = at + 1j * length * np.exp(-1j * angle)
            joints += [at.real, at.imag]
        chart = make_chart("rods", num_points, num_points)
        self.assertTrue(chart.angles)
        points = chart.points({"pivot": jnp.asarray(pivot), "lengths": jnp.asarray(lengths)}, jnp.asarray(angles))
        np.testing.assert_allclose(points, np.stack(joints, axis=1), atol=1e-5)
        found = chart.coordinates({"pivot": jnp.asarray(pivot)}, points)
        np.testing.assert_allclose(found, angles, atol=1e-4)
        self.assertEqual({x.shape for x in jax.tree.leaves(chart.init_points(_KEY))}, {(2,), (num_points,)})

    def test_a_point_on_the_pivot_has_a_finite_gradient(self):
        chart = make_chart("rods", 1, 1)
        params = chart.init_coordinates(_KEY)
        slope = jax.grad(lambda points: chart.coordinates(params, points).sum())(jnp.zeros((1, 2)))
        self.assertTrue(np.isfinite(slope).all())
