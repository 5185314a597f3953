"""Tests of `hgn_jax.networks.keypoints`, on discs drawn by the renderer of the data sets."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import scipy.optimize
import sklearn.cluster
from absl.testing import parameterized

from data_builders.rendering.images import PALETTE, Canvas, disc_centres, render
from hgn_jax.models.refinement import gauss_newton_shift
from hgn_jax.networks.keypoints import HALF_WIDTH, cluster, disc_painter, keypoint_detector, keypoint_painter
from tests.hgn_jax.models.random_params import random_params

_KEY = jax.random.PRNGKey(0)
_SIZE, _NUM_FRAMES = 16, 48
_PIXEL = 2 * HALF_WIDTH / (_SIZE - 1)


def _discs(num_discs: int):
    """Normalised frames of discs that do not touch, `[n, size, size, 3]`, and their centres as points `[n, discs, 2]`.

    The canvas reaches from the outer edge of the first pixel to that of the last, and its y axis points upwards.
    """
    rng = np.random.default_rng(num_discs)
    angle = rng.uniform(0, 2 * np.pi, (_NUM_FRAMES, 1)) + 2 * np.pi * np.arange(num_discs) / num_discs
    radius = rng.uniform(1.0, 2.2, (_NUM_FRAMES, 1))
    q = np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=-1).reshape(_NUM_FRAMES, -1)
    canvas = Canvas("plane", half_width=3.0, disc_radius=0.5, colours=PALETTE[:num_discs], image_size=_SIZE)
    frames = render(canvas, q) / np.float32(255)
    difference = frames - frames.mean(axis=0)
    centres = np.asarray(disc_centres(canvas, q)) / canvas.half_width
    return difference / difference.std(), centres * [1.0, -1.0] * HALF_WIDTH * _SIZE / (_SIZE - 1)


class DetectorTest(parameterized.TestCase):
    @parameterized.parameters(1, 2, 3)
    def test_finds_discs_without_training(self, num_discs):
        frames, centres = _discs(num_discs)
        network = keypoint_detector(_SIZE, (4, 4), num_discs)
        points = jax.jit(lambda key, frames: network.apply(network.init(key, frames), frames))(_KEY, frames)
        points = np.asarray(points).reshape(centres.shape)
        distances = np.linalg.norm(points[:, :, None] - centres[:, None], axis=-1)
        found = scipy.optimize.linear_sum_assignment(distances.mean(axis=0))
        self.assertLess(max(distances[:, i, j].max() for i, j in zip(*found, strict=True)), 0.5 * _PIXEL)
        for i, j in zip(*found, strict=True):
            for axis in (0, 1):
                self.assertGreater(np.corrcoef(points[:, i, axis], centres[:, j, axis])[0, 1], 0.99)

    def test_points_move_with_the_picture(self):
        """A picture moved by whole pixels, with room around it, moves the points by as much."""
        frames = np.zeros((1, _SIZE, _SIZE, 3), np.float32)
        frames[0, 6:9, 5:8] = np.random.default_rng(0).uniform(2.0, 6.0, (3, 3, 3))
        network = keypoint_detector(_SIZE, (4,), 1)
        params = random_params(network, frames) | {"colours": np.full((1, 3), 4.0), "log_selectivity": np.log(0.5)}
        # Without the surroundings, which see pairs of pixels.
        params["surroundings"] = jax.tree.map(jnp.zeros_like, params["surroundings"])
        moved = np.roll(frames, (2, -3), axis=(1, 2))
        here, there = np.asarray(jax.jit(network.apply)(params, np.concatenate([frames, moved])))
        # Background pixels have a small share in the point, wherever it is.
        np.testing.assert_allclose(there - here, np.array([-3, 2]) * _PIXEL, atol=0.25 * _PIXEL)


class ClusterTest(parameterized.TestCase):
    @parameterized.parameters(1, 2, 4)
    def test_finds_the_centres_of_separate_clusters(self, num_clusters):
        rng = np.random.default_rng(num_clusters)
        directions = np.concatenate([np.eye(3), -np.ones((1, 3))])[:num_clusters]
        objects = np.concatenate([6.0 * d + 0.3 * rng.normal(size=(30, 3)) for d in directions])
        pixels = np.concatenate([0.3 * rng.normal(size=(300, 3)), objects]).astype(np.float32)
        centres = np.asarray(jax.jit(cluster, static_argnums=1)(pixels, num_clusters))
        # Pixels count by their squared distance from the background, so that it does not matter how few they are.
        kmeans = sklearn.cluster.KMeans(num_clusters, n_init=5, random_state=0)
        expected = kmeans.fit(objects, sample_weight=np.sum(objects**2, axis=1)).cluster_centers_
        order = [np.argmin(np.linalg.norm(expected - c, axis=1)) for c in centres]
        self.assertCountEqual(order, range(num_clusters))
        np.testing.assert_allclose(centres, expected[order], atol=1e-4)


class PainterTest(parameterized.TestCase):
    def _image(self, points, num_points=1):
        """An image that shows how much differs from one without any point, by a painter without coordinates."""
        network = keypoint_painter(_SIZE, (4,), num_points, 1)
        params = random_params(network, jnp.zeros((1, 2 * num_points)), seed=3)
        params["linear_0"]["w"] = params["linear_0"]["w"].at[-2:].set(0.0)
        params["~"] = jax.tree.map(lambda x: jnp.full_like(x, -1.5), params["~"])
        points = np.asarray([[1e3] * 2 * num_points, *points], np.float32)
        far_away, *images = np.asarray(jax.jit(network.apply)(params, points))[..., 0]
        return np.stack(images) - far_away

    def test_points_have_the_units_of_the_detector(self):
        """A blob lies around its point: the outermost pixel centres at ±HALF_WIDTH, x to the right and y downwards."""
        pixels = {(3.0, 3.0): (15, 15), (-3.0, 3.0): (15, 0), (0.6, -1.4): (4, 9)}
        for image, (row, column) in zip(np.abs(self._image(list(pixels))), pixels.values(), strict=True):
            self.assertEqual(np.unravel_index(np.argmax(image), image.shape), (row, column))

    def test_moves_with_its_points(self):
        first, moved = self._image([[-0.5, 0.3], [-0.5 + 2 * _PIXEL, 0.3 - 3 * _PIXEL]])
        self.assertGreater(np.ptp(first), 0.05)
        np.testing.assert_allclose(moved[:-3, 2:], first[3:, :-2], atol=1e-5)

    def test_starts_nearly_uniform(self):
        network = keypoint_painter(_SIZE, (8, 8), 2, 3)
        points = np.random.default_rng(0).uniform(-3, 3, (5, 4)).astype(np.float32)
        image = jax.jit(lambda key, x: network.apply(network.init(key, x), x))(_KEY, points)
        self.assertEqual(image.shape, (5, _SIZE, _SIZE, 3))
        self.assertLess(np.std(image), 0.2)


class DiscPainterTest(parameterized.TestCase):
    def _paint(self, points, *covariances, **changes):
        network = disc_painter(_SIZE, 2, 3)
        params = random_params(network, jnp.zeros((1, 4)), seed=3)
        params["~"] |= {"log_width": jnp.full(2, -1.5), "log_sharpness": jnp.full(2, 2.5)} | changes
        return np.asarray(jax.jit(network.apply)(params, *map(np.float32, (points, *covariances))))

    def test_a_picture_moves_with_its_points(self):
        point = np.array([-0.5, 0.3, 1.2, 0.1])
        first, moved = self._paint([point, point + np.tile([2 * _PIXEL, -3 * _PIXEL], 2)])
        self.assertGreater(np.ptp(first), 0.05)
        np.testing.assert_allclose(moved[:-3, 2:], first[3:, :-2], atol=1e-5)

    def test_one_disc_covers_another(self):
        """Where two discs overlap, the nearer one is seen as if it were alone, and beside it the other one."""
        here, there, away = [0.3, 0.3], [1.1, 0.3], [1e3, 1e3]
        for nearness, front in (([30.0, 0.0], 1), ([0.0, 30.0], 2)):
            images = self._paint(
                [here + there, here + away, away + there],
                nearness=jnp.array(nearness), log_sharpness=jnp.full(2, 6.0), height=jnp.zeros(2),
            )  # fmt: skip
            overlap, covering, covered = images[0], images[front], images[3 - front]
            strength = np.abs(covering).sum(axis=-1) / np.abs(covering).sum(axis=-1).max()
            opaque, clear = strength > 0.999, strength < 1e-4
            self.assertTrue((opaque & (np.abs(covered).sum(axis=-1) > 1.0)).any())
            np.testing.assert_allclose(overlap[opaque], covering[opaque], rtol=5e-3, atol=1e-2)
            np.testing.assert_allclose(overlap[clear], covered[clear], atol=1e-2)

    @parameterized.parameters(0.0, 0.5, 2.0)
    def test_with_covariances_a_picture_is_the_mean_over_noise(self, log_sharpness):
        """Beside the mean of pictures of points with as much noise, of half a pixel to a pixel."""
        points = np.array([-0.5, 0.3, 1.2, 0.1])
        root = _PIXEL * np.array([[[1.0, 0.3], [0.0, 0.5]], [[0.6, 0.0], [0.0, 0.6]]])
        noise = np.random.default_rng(0).normal(size=(4000, 2, 2))
        noisy = points + np.einsum("kij,nkj->nki", root, noise).reshape(-1, 4)
        shape = {"log_sharpness": jnp.full(2, 2.5 + log_sharpness), "blob": jnp.zeros(2), "wide_blob": jnp.zeros(2)}
        shape |= {"height": jnp.zeros(2)}
        paint = lambda points, *rest: self._paint(points, *rest, **shape)
        mean, without = paint(noisy).mean(axis=0), paint(points[None])[0]
        expected = paint(points[None], (root @ root.swapaxes(1, 2))[None])[0]
        self.assertLess(np.square(expected - mean).mean(), 0.04 * np.square(without - mean).mean())

    def test_starts_uniform(self):
        network = disc_painter(_SIZE, 2, 3)
        points = np.zeros((5, 4), np.float32)
        np.testing.assert_array_equal(network.apply(network.init(_KEY, points), points), np.zeros((5, _SIZE, _SIZE, 3)))

    def test_finds_the_centres_of_rendered_discs(self):
        """Once it paints the renderer's discs, places found by it are right to a tenth of a pixel."""
        frames, centres = _discs(2)
        frames -= np.median(frames, axis=(0, 1, 2))
        points = jnp.asarray(centres.reshape(len(centres), -1), jnp.float32)
        network, optimizer = disc_painter(_SIZE, 2, 3), optax.adam(0.03)
        error = lambda params: jnp.mean((network.apply(params, points) - frames) ** 2)

        def step(carry, _):
            params, state = carry
            updates, state = optimizer.update(jax.grad(error)(params), state)
            return (optax.apply_updates(params, updates), state), None

        @jax.jit
        def find(points):
            params = network.init(_KEY, points)
            params = jax.lax.scan(step, (params, optimizer.init(params)), None, length=600)[0][0]
            beside = points + 0.3 * _PIXEL * jnp.sin(jnp.arange(points.size)).reshape(points.shape)
            for _ in range(3):
                beside += gauss_newton_shift(lambda x: network.apply(params, x), beside, frames, _PIXEL)
            return beside

        np.testing.assert_allclose(find(points), points, atol=0.1 * _PIXEL)
