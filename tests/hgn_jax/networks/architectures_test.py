"""Tests of `hgn_jax.networks.architectures`."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
from absl.testing import absltest, parameterized

from hgn_jax.networks import architectures as networks

_KEY = jax.random.PRNGKey(0)


def _run(network, x):
    params = network.init(_KEY, x)
    return params, network.apply(params, x)


class NetworksTest(parameterized.TestCase):
    @parameterized.parameters((8, 1), (16, 2), (32, 3), (64, 4), (128, 5))
    def test_num_doublings(self, image_size, expected):
        self.assertEqual(networks.num_doublings(image_size), expected)

    @parameterized.parameters(0, 4, 12, 30, 33, 48, 65)
    def test_sizes_that_cannot_be_made(self, image_size):
        with self.assertRaisesRegex(ValueError, f"power of two.*got {image_size}"):
            networks.num_doublings(image_size)

    @parameterized.parameters(16, 32, 64)
    def test_encoder_and_decoder_shapes(self, image_size):
        doublings = networks.num_doublings(image_size)
        encoder = networks.encoder(image_size, [4] * (doublings + 1), "relu", latent_channels=6)
        _, (mean, log_variance) = _run(encoder, jnp.ones((2, image_size, image_size, 9)))
        chex.assert_shape([mean, log_variance], (2, 4, 4, 6))
        decoder = networks.decoder(image_size, [4] * doublings, 3, "sigmoid", "none")
        _, images = _run(decoder, mean[..., :3])
        chex.assert_shape(images, (2, image_size, image_size, 3))

    def test_vectors_are_linear_projections_of_all_features(self):
        frames = jax.random.normal(_KEY, (3, 8, 8, 9))
        params, (mean, log_variance) = _run(networks.encoder(8, [4, 6], "relu", latent_channels=5, vector=True), frames)
        chex.assert_shape([mean, log_variance], (3, 5))
        self.assertEqual(params["mean"]["w"].shape, (4 * 4 * 6, 5))
        np.testing.assert_allclose(log_variance, -4.0, atol=1.0)  # narrow at first
        moved = params | {"mean": jax.tree.map(lambda x: 2.0 * x, params["mean"])}
        again = networks.encoder(8, [4, 6], "relu", latent_channels=5, vector=True).apply(moved, frames)
        np.testing.assert_allclose(again[0], 2.0 * mean, rtol=1e-5)
        decoder = networks.decoder(8, [4], 3, "sigmoid", "none")
        params, images = _run(decoder, mean)
        chex.assert_shape(images, (3, 8, 8, 3))
        self.assertEqual(params["grid"]["w"].shape, (5, 4 * 4 * 5))

    def test_decoder_needs_a_block_per_doubling(self):
        with self.assertRaisesRegex(ValueError, "3 blocks"):
            networks.decoder(32, [4, 4], 3, "sigmoid", "none")

    @parameterized.parameters("relu", "softplus")
    def test_linear_outputs_take_both_signs(self, activation):
        x = jax.random.normal(_KEY, (16, 4, 4, 6))
        _, state = _run(networks.state_transform([8, 8], activation, 6), x)
        self.assertLess(state.min(), 0)
        self.assertGreater(state.max(), 0)
        energies = [
            networks.energy([networks.ConvLayer(8), networks.ConvLayer(1)], "softplus", 2.0, 6.0).init(
                jax.random.PRNGKey(seed), x
            )
            for seed in range(6)
        ]
        network = networks.energy([networks.ConvLayer(8), networks.ConvLayer(1)], "softplus", 2.0, 6.0)
        values = jnp.stack([network.apply(params, x) for params in energies])
        self.assertLess(values.min(), 0)
        self.assertGreater(values.max(), 0)

    def test_energy_is_one_scalar_per_example_summed_over_space(self):
        network = networks.energy([networks.ConvLayer(5), networks.ConvLayer(1, kernel=1)], "softplus", 2.0, 1.0)
        x = jax.random.normal(_KEY, (3, 4, 4, 2))
        params, energy = _run(network, x)
        chex.assert_shape(energy, (3,))
        hidden = jax.nn.softplus(_convolve(x, params["convolution_0"]))
        np.testing.assert_allclose(energy, _convolve(hidden, params["energy"]).sum((1, 2, 3)), rtol=1e-5)

    @parameterized.parameters((6,), (4, 4, 6))
    def test_an_energy_by_a_multilayer_perceptron_sees_all_numbers(self, *shape):
        network = networks.mlp_energy((7, 5), "swish", 2.0, 1.0)
        x = jax.random.normal(_KEY, (3, *shape))
        params, energy = _run(network, x)
        chex.assert_shape(energy, (3,))
        hidden = np.asarray(x).reshape(3, -1)
        for layer in ("linear_0", "linear_1"):
            hidden = hidden @ np.asarray(params[layer]["w"]) + np.asarray(params[layer]["b"])
            hidden = hidden / (1.0 + np.exp(-hidden))
        expected = hidden @ np.asarray(params["output"]["w"]) + np.asarray(params["output"]["b"])
        np.testing.assert_allclose(energy, expected[:, 0], rtol=1e-4, atol=1e-5)

    def test_authors_hamiltonian_reduces_the_grid_to_one_cell(self):
        network = networks.energy(networks.AUTHORS_HAMILTONIAN, "softplus", 2.0, 1.0)
        params, energy = _run(network, jnp.ones((2, 4, 4, 32)))
        chex.assert_shape(energy, (2,))
        shapes = [tuple(layer["w"].shape) for layer in params.values()]
        self.assertCountEqual(shapes, [(3, 3, 32, 32), (2, 2, 32, 64), (2, 2, 64, 64), (2, 2, 64, 64), (2, 2, 64, 1)])

    @parameterized.parameters(
        ("relu", lambda x: np.maximum(x, 0.0)), ("softplus", lambda x: np.log1p(np.exp(x))), ("tanh", np.tanh)
    )
    def test_mlp_is_affine_maps_with_activations_between(self, name, activation):
        x = np.random.default_rng(0).normal(size=(2, 3, 4)).astype(np.float32)
        params, y = _run(networks.mlp((6, 5, 2), name, bias_scale=1.0), jnp.asarray(x))
        chex.assert_shape(y, (2, 3, 2))
        for layer in ("linear_0", "linear_1"):
            x = activation(x @ np.asarray(params[layer]["w"]) + np.asarray(params[layer]["b"]))
        expected = x @ np.asarray(params["output"]["w"]) + np.asarray(params["output"]["b"])
        np.testing.assert_allclose(y, expected, rtol=1e-5, atol=1e-5)

    def test_mlp_initial_scales(self):
        params, _ = _run(networks.mlp((400, 300, 200), "relu", 1.5, 0.1, bias_scale=0.7), jnp.ones((1, 100)))
        for name, gain, fan_in, bias in (
            ("linear_0", 1.5, 100, 0.7),
            ("linear_1", 1.5, 400, 0.7),
            ("output", 0.1, 300, 0.0),
        ):
            np.testing.assert_allclose(params[name]["w"].std(), gain / fan_in**0.5, rtol=0.02)
            np.testing.assert_allclose(params[name]["b"].std(), bias, rtol=0.15)
        params, _ = _run(networks.mlp((50, 50), "relu"), jnp.ones((1, 100)))
        np.testing.assert_allclose(params["linear_0"]["w"].std(), (2 / 100) ** 0.5, rtol=0.05)  # keeps the scale
        np.testing.assert_array_equal(params["linear_0"]["b"], 0.0)


def _convolve(x, layer):
    """A SAME convolution of stride 1 written as a sum over shifts."""
    w, b = np.asarray(layer["w"]), np.asarray(layer["b"])
    reach = w.shape[0] // 2
    padded = np.pad(np.asarray(x), ((0, 0), (reach, reach), (reach, reach), (0, 0)))
    height, width = x.shape[1:3]
    return b + sum(
        padded[:, i : i + height, j : j + width] @ w[i, j] for i in range(w.shape[0]) for j in range(w.shape[1])
    )


if __name__ == "__main__":
    absltest.main()
