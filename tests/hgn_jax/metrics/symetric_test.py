"""Tests of `hgn_jax.metrics.symetric` on maps that are known to be canonical or not."""

import jax
import numpy as np
from absl.testing import parameterized

from hgn_jax.metrics import symetric as latent_metrics
from hgn_jax.metrics.symetric import symetric


def _states(d, points=300, seed=0):
    return np.random.default_rng(seed).standard_normal((points, 2 * d))


def _rotated_and_kicked(q, p):
    """A rotation of positions with momenta, and a kick linear in the new positions by a symmetric matrix."""
    d = q.shape[1]
    rotation = np.linalg.qr(np.random.default_rng(5).standard_normal((d, d)))[0]
    return q @ rotation, p @ rotation + q @ rotation @ (0.7 * np.eye(d) + 0.2)


_CANONICAL = {
    "identity": lambda q, p: (q, p),
    "rotated_and_kicked": _rotated_and_kicked,
    "squeezed": lambda q, p: (3.0 * q, p / 3.0),
    "cubic_kick": lambda q, p: (q, p + q**3),
    "exchanged": lambda q, p: (-p, q),
    "scaled_as_a_whole": lambda q, p: (10.0 * q - 4.0, 10.0 * p + 7.0),  # units, which the normalisation removes
}
_NOT_CANONICAL = {
    "one_axis_scaled": lambda q, p: (np.stack([3.0 * q[:, 0], q[:, 1]], axis=1), p),
    "momenta_sheared_alone": lambda q, p: (q, p @ np.array([[1.0, 1.5], [0.0, 1.0]])),
    "one_degree_bent": lambda q, p: (q, np.stack([p[:, 0], np.sinh(1.5 * p[:, 1])], axis=1)),
    "unrelated": lambda q, p: tuple(np.random.default_rng(1).standard_normal((2, *q.shape))),
    "constant": lambda q, p: (np.ones_like(q), np.ones_like(p)),
    "half_is_missing": lambda q, p: (q, 0.0 * p),
    "not_finite": lambda q, p: (q, p / 0.0),
}  # fmt: skip


class SyMetricTest(parameterized.TestCase):
    @parameterized.product(name=list(_CANONICAL), d=(1, 2))
    def test_canonical_transformations_score_1(self, name, d):
        states = _states(d)
        latents = np.concatenate(_CANONICAL[name](states[:, :d], states[:, d:]), axis=1)
        result = symetric(latents, states)
        self.assertEqual(result.score, 1.0, result)
        self.assertLess(result.distance, 0.01)
        self.assertEqual(result.order, 3 if name == "cubic_kick" else 1)
        self.assertEqual(result.num_latents, 2 * d)

    @parameterized.parameters(1.0, 3.0)
    def test_states_in_a_subspace_are_compared_within_it(self, scale):
        """Two bodies around their centre are opposite each other, so that half of the coordinates repeat the others."""
        q, p = np.split(_states(2), 2, axis=1)
        states = np.concatenate([q, -q, p, -p], axis=1)
        bent = np.concatenate([q * [scale, 1.0], -q * [scale, 1.0], p, -p], axis=1)
        result = symetric(bent, states)
        self.assertEqual(result.score, float(scale == 1.0), result)
        self.assertEqual(result.num_latents, 4)

    @parameterized.parameters(*_NOT_CANONICAL)
    def test_other_maps_score_0(self, name):
        states = _states(2)
        with np.errstate(divide="ignore"):
            latents = np.concatenate(_NOT_CANONICAL[name](states[:, :2], states[:, 2:]), axis=1)
        self.assertEqual(symetric(latents, states, max_order=3).score, 0.0)

    def test_wrongly_paired_coordinates_go_unnoticed(self):
        """The metric's known blind spot: A A* = I requires J E J^T to be orthogonal, not to be E."""
        states = _states(2)
        (q1, q2), (p1, p2) = states[:, :2].T, states[:, 2:].T
        mispaired = np.stack([q1, p1, q2, p2], axis=1)  # q1 paired with q2, and p1 with p2
        self.assertEqual(symetric(mispaired, states).score, 1.0)

    def test_with_one_degree_of_freedom_the_area_must_be_constant(self):
        rng = np.random.default_rng(0)
        radius, angle = rng.uniform(0.2, 1.5, 1500), rng.uniform(-2.0, 2.0, 1500)
        states = np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1)
        result = symetric(np.stack([radius, angle], axis=1), states)  # det J = r
        self.assertGreater(result.r_squared, 0.9)
        self.assertGreater(result.distance, 0.05)
        self.assertEqual(result.score, 0.0)
        stretched = states * [4.0, 1.0]  # det J = 1/4 everywhere
        self.assertEqual(symetric(stretched, states).score, 1.0)

    def test_more_latents_than_coordinates(self):
        """Meaningless coordinates beside a perfect latent do no harm, and uninformative pairs are dropped."""
        states, noise = _states(2), _states(1, seed=3)
        latents = np.concatenate([states[:, :2], noise[:, :1], states[:, 2:], noise[:, 1:]], axis=1)
        self.assertEqual(symetric(latents, states)[::4], (1.0, 6))
        # Only q of the first pair and p of the second are informative.
        variance = np.tile([0.1, 0.9, 0.95, 0.8, 0.2, 0.9], (len(states), 1))
        result = symetric(latents, states, variance)
        self.assertEqual(result.num_latents, 4)
        self.assertEqual(result.score, 1.0)

    def test_informative(self):
        variance = np.array([[0.1, 0.9, 0.6, 0.9, 0.9, 0.3], [0.1, 0.9, 0.6, 0.9, 0.9, 0.5]])
        np.testing.assert_array_equal(latent_metrics.informative(variance), [True, False, True] * 2)
        self.assertTrue(latent_metrics.informative(np.ones((5, 4))).all())

    def test_jacobians_against_automatic_differentiation(self):
        rng = np.random.default_rng(2)
        powers, weights = rng.integers(0, 4, (9, 3)), rng.standard_normal((2, 9))
        points = rng.standard_normal((5, 3))
        points[0, 1] = 0.0
        with jax.enable_x64(True):
            polynomial = lambda x: weights @ jax.numpy.prod(x[None, :] ** powers, axis=1)
            expected = jax.jit(jax.vmap(jax.jacfwd(polynomial)))(points)
        np.testing.assert_allclose(latent_metrics.jacobians(powers, weights, points), expected, atol=1e-12)

    def test_distance_by_hand(self):
        """J = diag(2, 1, 1, 1): A A* = diag(4, 1, 4, 1), over 4 that is diag(1, 1/4, 1, 1/4)."""
        jacobian = np.diag([2.0, 1.0, 1.0, 1.0])[None]
        self.assertAlmostEqual(latent_metrics.symplectic_distance(jacobian), 2 * 0.75**2 / 16)
        self.assertEqual(latent_metrics.symplectic_distance(np.eye(4)[None]), 0.0)
        self.assertEqual(latent_metrics.symplectic_distance(np.zeros((3, 4, 4))), 0.25)

    def _embedded(self, q, p, num_pairs, scale=1.0, noise=1e-3):
        """Rotates states into a space of many more pairs and adds a little noise in all directions."""
        rng = np.random.default_rng(7)
        directions = np.linalg.qr(rng.standard_normal((num_pairs, num_pairs)))[0][: q.shape[1]]
        halves = [q @ directions, scale * p @ directions]
        return np.concatenate([half + noise * rng.standard_normal(half.shape) for half in halves], axis=1)

    def test_principal_pairs_find_the_states_among_many_latents(self):
        states = _states(2)
        latents = self._embedded(states[:, :2], states[:, 2:], 100, scale=1e-2, noise=0.0)
        pairs, kept = latent_metrics.principal_pairs(latents)
        self.assertEqual(pairs.shape, (len(states), 4))
        self.assertAlmostEqual(kept, 1.0)
        # q and p undergo the same rotation, however small p is, so all inner products are preserved.
        q, p = pairs[:, :2], pairs[:, 2:] / 1e-2
        centred = states - states.mean(axis=0)
        np.testing.assert_allclose(q @ q.T, centred[:, :2] @ centred[:, :2].T, atol=1e-9)
        np.testing.assert_allclose(q @ p.T, centred[:, :2] @ centred[:, 2:].T, atol=1e-9)

    def test_principal_pairs_of_constant_latents_and_of_latents_without_structure(self):
        self.assertEqual(latent_metrics.principal_pairs(np.ones((20, 80)))[1], 0.0)
        latents = _states(100)
        pairs, kept = latent_metrics.principal_pairs(latents)
        self.assertEqual(pairs.shape, (len(latents), 32))
        self.assertBetween(kept, 16 / 100, 0.5)
        halves = zip(np.split(pairs, 2, axis=1), np.split(latents - latents.mean(axis=0), 2, axis=1), strict=True)
        self.assertAlmostEqual(kept, np.mean([np.sum(part**2) / np.sum(whole**2) for part, whole in halves]))

    @parameterized.parameters(*_CANONICAL)
    def test_canonical_transformations_among_many_latents_score_1(self, name):
        states = _states(2)
        result = symetric(self._embedded(*_CANONICAL[name](states[:, :2], states[:, 2:]), 100), states)
        self.assertEqual((result.score, result.num_latents), (1.0, 4))
        self.assertBetween(result.variance_kept, 0.999, 1.0)

    @parameterized.parameters(*sorted(set(_NOT_CANONICAL) - {"not_finite"}))
    def test_other_maps_among_many_latents_score_0(self, name):
        states = _states(2)
        with np.errstate(divide="ignore"):
            latents = self._embedded(*_NOT_CANONICAL[name](states[:, :2], states[:, 2:]), 100)
        self.assertEqual(symetric(latents, states, max_order=3).score, 0.0)

    @parameterized.parameters(
        ((20, 4), (19, 4), "need latents"),
        ((20, 3), (20, 4), "even number"),
        ((10, 4), (10, 4), "16 points or more"),
    )
    def test_refuses_shapes_that_do_not_match(self, latents, states, message):
        with self.assertRaisesRegex(ValueError, message):
            symetric(np.zeros(latents), np.zeros(states))

    def test_refuses_constant_states(self):
        states = _states(1)
        states[:, 1] = 2.0
        with self.assertRaisesRegex(ValueError, "the same at all points"):
            symetric(_states(1), states)
