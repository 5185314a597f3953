"""Tests of `hgn_jax.networks.latent_grid`."""

from absl.testing import parameterized

from hgn_jax.networks.latent_grid import num_doublings


class NumDoublingsTest(parameterized.TestCase):
    @parameterized.parameters((8, 1), (16, 2), (32, 3), (64, 4), (128, 5))
    def test_is_the_power_of_two_between_grid_and_image(self, image_size, expected):
        self.assertEqual(num_doublings(image_size), expected)

    @parameterized.parameters(0, 4, 12, 30, 33, 48, 65)
    def test_refuses_other_sizes(self, image_size):
        with self.assertRaisesRegex(ValueError, f"power of two.*got {image_size}"):
            num_doublings(image_size)
