"""Tests of the renderer."""

import dataclasses
import math

import chex
import numpy as np
from absl.testing import parameterized

from data_builders.rendering import images as rendering

SPRING = rendering.Canvas("vertical", half_width=1.35, disc_radius=0.28, colours=(rendering.YELLOW,))
PENDULUM = rendering.Canvas("pendulum", half_width=1.3, disc_radius=0.27, colours=(rendering.YELLOW,))
BODIES = rendering.Canvas("plane", 2.25, 0.47, colours=(rendering.YELLOW, rendering.SKY_BLUE, rendering.VERMILION))
DOUBLE = rendering.Canvas(
    "double_pendulum", 2.5, 0.48, (rendering.YELLOW, rendering.SKY_BLUE), rod_length=1.1, second_rod_length=0.9
)
CASES = (
    ("spring", SPRING, 0.1, [0.4]),
    ("pendulum", PENDULUM, 0.1, [2.0]),
    ("pendulum_64", dataclasses.replace(PENDULUM, image_size=64), 0.1, [-0.7]),
    ("bodies", BODIES, 0.2, [1.0, 0.2, -0.7, 0.9, 0.5, -0.2]),
    ("bodies_64", dataclasses.replace(BODIES, image_size=64), 0.05, [1.0, 0.2, -0.7, 0.9, 0.5, -0.2]),
)
DOUBLES = (  # the last one is folded, so that its discs overlap and their noises interact
    ("double_pendulum", DOUBLE, 0.05, [2.0, -0.4]),
    ("noisy_double_pendulum", DOUBLE, 0.2, [2.0, -0.4]),
    ("folded_double_pendulum", dataclasses.replace(DOUBLE, disc_radius=0.7), 0.1, [0.3, 3.0]),
)


def draw_by_hand(canvas, centres):
    """Draws discs at `centres` pixel by pixel, as floats from 0 to 255."""
    size, width = canvas.image_size, 2 * canvas.half_width
    image = np.empty((size, size, 3))
    for row in range(size):
        for column in range(size):
            x = ((column + 0.5) / size - 0.5) * width
            y = (0.5 - (row + 0.5) / size) * width
            pixel = np.array(canvas.background, float)
            for (cx, cy), colour in zip(centres, canvas.colours, strict=True):
                gap = (canvas.disc_radius - math.hypot(x - cx, y - cy)) / width  # in canvas widths
                alpha = 1.0 / (1.0 + math.exp(-canvas.edge_temperature * gap))
                pixel = alpha * np.array(colour, float) + (1 - alpha) * pixel
            image[row, column] = pixel
    return image


class RenderingTest(chex.TestCase):
    @parameterized.parameters(
        (SPRING, [0.6], [(0.0, 0.6)]),
        (PENDULUM, [0.5], [(math.sin(0.5), -math.cos(0.5))]),
        (dataclasses.replace(PENDULUM, rod_length=0.5), [-2.0], [(0.5 * math.sin(-2.0), -0.5 * math.cos(-2.0))]),
        (BODIES, [1.0, 0.2, -0.7, 0.9, 0.5, -0.2], [(1.0, 0.2), (-0.7, 0.9), (0.5, -0.2)]),
        (dataclasses.replace(SPRING, offset=(0.3, -0.2)), [0.6], [(0.3, 0.4)]),
        (
            DOUBLE,
            [2.0, -0.4],
            [
                (1.1 * math.sin(2.0), -1.1 * math.cos(2.0)),
                (1.1 * math.sin(2.0) - 0.9 * math.sin(0.4), -1.1 * math.cos(2.0) - 0.9 * math.cos(0.4)),
            ],
        ),
    )
    def test_render_is_the_formula(self, canvas, q, centres):
        for size in (32, 64):
            canvas = dataclasses.replace(canvas, image_size=size)
            image = rendering.render(canvas, np.array(q))
            self.assertEqual((image.shape, image.dtype), ((size, size, 3), np.uint8))
            np.testing.assert_allclose(image, draw_by_hand(canvas, centres), atol=0.51)

    def test_up_is_up_and_right_is_right(self):
        self.assertGreater(rendering.render(SPRING, np.array([0.8]))[:16].std(), 10.0)
        self.assertEqual(rendering.render(SPRING, np.array([0.8]))[16:].std(axis=(0, 1)).max(), 0.0)
        hanging = rendering.render(PENDULUM, np.array([0.0]))
        self.assertEqual(hanging[:16].std(axis=(0, 1)).max(), 0.0)
        right = rendering.render(PENDULUM, np.array([np.pi / 2]))
        self.assertEqual(right[:, :16].std(axis=(0, 1)).max(), 0.0)

    def test_batches_of_any_size_are_drawn_frame_by_frame(self):
        q = np.random.default_rng(0).normal(size=(11, 50, 6))  # more than one call, and a part of one
        images = rendering.render(BODIES, q)
        self.assertEqual(images.shape, (11, 50, 32, 32, 3))
        np.testing.assert_array_equal(images[10, 49], rendering.render(BODIES, q[10, 49]))
        np.testing.assert_array_equal(images[3], rendering.render(BODIES, q[3]))
        self.assertEqual(rendering.render(BODIES, q[:0]).shape, (0, 50, 32, 32, 3))

    @parameterized.named_parameters(*CASES, *DOUBLES)
    def test_expected_render_is_the_mean_of_renders(self, canvas, noise, q):
        num_samples = 4_000 if canvas.image_size == 32 else 1_500
        q = np.array(q)
        draws = rendering.render(canvas, q + noise * np.random.default_rng(1).normal(size=(num_samples, q.size)))
        draws = draws.astype(np.float32) / 255.0
        expected = rendering.expected_render(canvas, q, noise)
        self.assertEqual((expected.shape, expected.dtype), (draws.shape[1:], np.float32))
        # Five standard errors, and half a grey level that rounding may take systematically.
        allowed = 5.0 * draws.std(axis=0, dtype=np.float64) / np.sqrt(num_samples) + 0.5 / 255.0
        error = np.abs(draws.mean(axis=0, dtype=np.float64) - expected)
        self.assertLessEqual((error / allowed).max(), 1.0)

    @parameterized.named_parameters(*CASES)
    def test_expected_render_has_small_quadrature_error(self, canvas, noise, q):
        expected = rendering.expected_render(canvas, np.array(q), noise)
        nodes, weights = np.polynomial.hermite_e.hermegauss(80)
        weights = weights / weights.sum()
        if canvas.layout != "plane":
            images = [draw_by_hand(canvas, _centre(canvas, q[0] + noise * node)) for node in nodes[::1]]
            exact = np.einsum("i,i...->...", weights, np.array(images)) / 255.0
            np.testing.assert_allclose(expected, exact, atol=2e-5)
        else:
            exact = _expected_bodies(canvas, noise, np.reshape(q, (-1, 2)), nodes, weights)
            np.testing.assert_allclose(expected, exact, atol=1e-4)

    @parameterized.named_parameters(*DOUBLES)
    def test_expected_double_pendulum_has_small_quadrature_error(self, canvas, noise, q):
        nodes, weights = np.polynomial.hermite_e.hermegauss(70)
        weights = weights / weights.sum()
        angles = np.array(q) + noise * np.stack(np.meshgrid(nodes, nodes, indexing="ij"), axis=-1)
        rods = np.array([1.1, 0.9])[:, None] * np.stack([np.sin(angles), -np.cos(angles)], axis=-1)
        grid = ((np.arange(32) + 0.5) / 32 - 0.5) * 2 * canvas.half_width
        exact = np.zeros((32, 32, 3))
        for weight, weights_of_row, centres in zip(
            weights, np.tile(weights, (70, 1)), np.cumsum(rods, -2), strict=True
        ):
            dx = grid - centres[..., 0, None, None]
            dy = -grid[:, None] - centres[..., 1, None, None]
            edge = canvas.edge_temperature * (canvas.disc_radius - np.hypot(dx, dy)) / (2 * canvas.half_width)
            alpha = (0.5 + 0.5 * np.tanh(edge / 2))[..., None]
            image = np.array(canvas.background) / 255.0
            for disc, colour in enumerate(canvas.colours):
                image = image + alpha[:, disc] * (np.array(colour) / 255.0 - image)
            exact += weight * np.einsum("i,i...->...", weights_of_row, image)
        np.testing.assert_allclose(rendering.expected_render(canvas, np.array(q), noise), exact, atol=3e-4)

    @parameterized.parameters(
        (SPRING, 0.1, 1), (PENDULUM, 0.1, 1), (BODIES, 0.2, 6), (DOUBLE, 0.05, 2), (dataclasses.replace(DOUBLE), 0.0, 2)
    )
    def test_each_trajectory_can_have_its_own_look(self, canvas, noise, d):
        rng = np.random.default_rng(0)
        q = rng.normal(size=(3, 4, d))
        look = rendering.Look(
            np.array(rendering.PALETTE, np.uint8)[
                rng.permuted(np.tile(np.arange(6), (3, 1)), axis=1)[:, : len(canvas.colours)]
            ],
            rng.uniform(-0.3, 0.3, (3, 2)).astype(np.float32),
            rng.uniform(0.5, 1.0, (3, 2)).astype(np.float32),
        )
        images, expected = rendering.render(canvas, q, look), rendering.expected_render(canvas, q, noise, look)
        clipped = rendering.is_clipped(canvas, q, look)
        self.assertEqual(clipped.shape, (3, 4))
        for row in range(3):
            colours, offset, rods = (x[row].tolist() for x in look)
            alone = dataclasses.replace(
                canvas, colours=tuple(map(tuple, colours)), offset=tuple(offset),
                rod_length=rods[0], second_rod_length=rods[1],
            )  # fmt: skip
            np.testing.assert_allclose(images[row], rendering.render(alone, q[row]), atol=1)
            np.testing.assert_allclose(expected[row], rendering.expected_render(alone, q[row], noise), atol=1e-4)
            np.testing.assert_array_equal(clipped[row], rendering.is_clipped(alone, q[row]))

    def test_expected_images_need_the_looks_that_vary(self):
        canvas = {**dataclasses.asdict(PENDULUM)}
        metadata = {"canvas": canvas, "observation_noise": 0.1, "varies_scene": True}
        look = {
            "colours": np.array([[[86, 180, 233]]]),
            "offset": np.array([[0.1, 0.2]]),
            "rod_lengths": np.ones((1, 2)),
        }
        self.assertEqual(rendering.scene_features(metadata), tuple(look))
        q = np.zeros((1, 3, 1))
        expected = rendering.expected_images(metadata, q, look)
        alone = dataclasses.replace(PENDULUM, colours=(rendering.SKY_BLUE,), offset=(0.1, 0.2))
        np.testing.assert_allclose(expected, rendering.expected_render(alone, q, 0.1), atol=1e-5)
        with self.assertRaisesRegex(ValueError, "its own scene; its colours, offset, rod_lengths are needed"):
            rendering.expected_images(metadata, q)

    def test_expected_render_without_noise_is_the_render(self):
        q = np.random.default_rng(0).normal(size=(5, 6))
        np.testing.assert_allclose(
            rendering.expected_render(BODIES, q, 0.0), rendering.render(BODIES, q) / 255.0, atol=0.51 / 255.0
        )

    def test_expected_render_is_the_best_prediction(self):
        rng = np.random.default_rng(2)
        q = np.tile(rng.normal(size=(1, 6)), (1500, 1))
        observed = rendering.render(BODIES, q + 0.2 * rng.normal(size=q.shape)) / 255.0
        expected = rendering.expected_render(BODIES, q[0], 0.2)
        floor = np.mean((observed - expected) ** 2)
        self.assertLess(floor, np.mean((observed - rendering.render(BODIES, q[0]) / 255.0) ** 2))
        self.assertAlmostEqual(floor, observed.var(axis=0).mean(), delta=0.01 * floor)

    def test_clipping(self):
        q = np.array([[0.0], [1.06], [-1.06], [1.08], [-1.08]])
        np.testing.assert_array_equal(rendering.is_clipped(SPRING, q), [False, False, False, True, True])
        one_out = np.array([0.0, 0.0, 0.0, 0.0, 0.0, -1.8])
        self.assertTrue(rendering.is_clipped(BODIES, one_out))
        self.assertFalse(rendering.is_clipped(BODIES, 0.9 * one_out))
        self.assertFalse(rendering.is_clipped(PENDULUM, np.linspace(-4, 4, 9)[:, None]).any())

    def test_expected_images_take_metadata_from_json(self):
        canvas = {**dataclasses.asdict(BODIES), "colours": [list(colour) for colour in BODIES.colours]}
        canvas["background"] = list(BODIES.background)
        q = np.random.default_rng(0).normal(size=(2, 3, 6))
        expected = rendering.expected_images({"canvas": canvas, "observation_noise": 0.2}, q)
        np.testing.assert_array_equal(expected, rendering.expected_render(BODIES, q, 0.2))

    def test_wrong_scenes_are_errors(self):
        with self.assertRaisesRegex(ValueError, "unknown layout 'sideways'; choose one of vertical"):
            rendering.render(dataclasses.replace(SPRING, layout="sideways"), np.zeros((1, 1)))
        with self.assertRaisesRegex(ValueError, "2 discs to draw but 3 colours"):
            rendering.render(BODIES, np.zeros((1, 4)))


def _centre(canvas, q):
    return [(0.0, q)] if canvas.layout == "vertical" else [(math.sin(q), -math.cos(q))]


def _expected_bodies(canvas, noise, centres, nodes, weights):
    """Composites coverages that are averaged over both noisy coordinates, by Gauss-Hermite quadrature."""
    grid = ((np.arange(canvas.image_size) + 0.5) / canvas.image_size - 0.5) * 2 * canvas.half_width
    image = np.broadcast_to(np.array(canvas.background) / 255.0, (canvas.image_size, canvas.image_size, 3))
    for (cx, cy), colour in zip(centres, canvas.colours, strict=True):
        dx = grid[:, None] - cx - noise * nodes
        dy = -grid[:, None] - cy - noise * nodes
        alpha = np.zeros((canvas.image_size, canvas.image_size))
        for row in range(canvas.image_size):
            distance = np.hypot(dx[:, :, None], dy[row])
            edge = canvas.edge_temperature * (canvas.disc_radius - distance) / (2 * canvas.half_width)
            alpha[row] = np.einsum("xij,i,j->x", 0.5 + 0.5 * np.tanh(edge / 2), weights, weights)
        image = image + alpha[..., None] * (np.array(colour) / 255.0 - image)
    return image
