"""Tests of `hgn_jax.networks.encoder`."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
from absl.testing import parameterized

from hgn_jax.networks.encoder import conv_encoder, state_transform

_KEY = jax.random.PRNGKey(0)


class EncoderTest(parameterized.TestCase):
    @parameterized.parameters((16, 3), (64, 5))
    def test_grids_have_the_documented_shape(self, image_size, num_layers):
        encoder = conv_encoder(image_size, [4] * num_layers, "relu", latent_channels=6)
        frames = jax.ShapeDtypeStruct((2, image_size, image_size, 9), jnp.float32)
        params = jax.eval_shape(encoder.init, _KEY, frames)
        chex.assert_shape(jax.eval_shape(encoder.apply, params, frames), (2, 4, 4, 6))

    def test_vectors_are_linear_projections_of_all_features(self):
        encoder = conv_encoder(8, [4, 6], "relu", latent_channels=5, vector=True)
        frames = jax.random.normal(_KEY, (3, 8, 8, 9))
        params = jax.jit(encoder.init)(_KEY, frames)
        apply = jax.jit(encoder.apply)
        mean, log_variance = apply(params, frames)
        chex.assert_shape([mean, log_variance], (3, 5))
        self.assertEqual(params["mean"]["w"].shape, (4 * 4 * 6, 5))
        np.testing.assert_allclose(log_variance, -4.0, atol=1.0)  # the initial posterior is narrow
        doubled = params | {"mean": jax.tree.map(lambda x: 2.0 * x, params["mean"])}
        np.testing.assert_allclose(apply(doubled, frames)[0], 2.0 * mean, rtol=1e-5)


class StateTransformTest(parameterized.TestCase):
    @parameterized.parameters("relu", "softplus")
    def test_output_is_linear_and_takes_both_signs(self, activation):
        network = state_transform([8, 8], activation, 6)
        z = jax.random.normal(_KEY, (4, 4, 4, 6))
        state = jax.jit(lambda key: network.apply(network.init(key, z), z))(_KEY)
        chex.assert_shape(state, (4, 4, 4, 6))
        self.assertLess(state.min(), 0)
        self.assertGreater(state.max(), 0)
