"""Tests of `hgn_jax.networks.decoder`."""

import chex
import jax
import jax.numpy as jnp
from absl.testing import parameterized

from hgn_jax.networks.decoder import conv_decoder


class DecoderTest(parameterized.TestCase):
    @parameterized.product(image_size_and_blocks=[(8, 1), (32, 3)], q_shape=[(2, 4, 4, 5), (2, 5)])
    def test_images_have_the_documented_shape(self, image_size_and_blocks, q_shape):
        image_size, num_blocks = image_size_and_blocks
        decoder = conv_decoder(image_size, [4] * num_blocks, 3, "sigmoid", "none")
        q = jax.ShapeDtypeStruct(q_shape, jnp.float32)
        params = jax.eval_shape(decoder.init, jax.random.PRNGKey(0), q)
        chex.assert_shape(jax.eval_shape(decoder.apply, params, q), (2, image_size, image_size, 3))
        if len(q_shape) == 2:
            chex.assert_shape(params["grid"]["w"], (5, 4 * 4 * 5))

    def test_needs_a_block_per_doubling(self):
        with self.assertRaisesRegex(ValueError, "3 blocks"):
            conv_decoder(32, [4, 4], 3, "sigmoid", "none")
