"""Tests of `hgn_jax.networks.energies`."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
from absl.testing import absltest, parameterized

from hgn_jax.networks.blocks import ConvLayer
from hgn_jax.networks.energies import AUTHORS_HAMILTONIAN, conv_energy, mlp_energy

_KEY = jax.random.PRNGKey(0)


def _convolve(x, layer):
    """A SAME convolution of stride 1 written as a sum over shifts."""
    w, b = np.asarray(layer["w"]), np.asarray(layer["b"])
    reach = w.shape[0] // 2
    padded = np.pad(np.asarray(x), ((0, 0), (reach, reach), (reach, reach), (0, 0)))
    height, width = x.shape[1:3]
    return b + sum(
        padded[:, i : i + height, j : j + width] @ w[i, j] for i in range(w.shape[0]) for j in range(w.shape[1])
    )


class ConvEnergyTest(absltest.TestCase):
    def test_is_one_number_per_example_summed_over_space(self):
        network = conv_energy([ConvLayer(5), ConvLayer(1, kernel=1)], "softplus", 2.0, 1.0)
        x = jax.random.normal(_KEY, (3, 4, 4, 2))
        params = jax.jit(network.init)(_KEY, x)
        energy = jax.jit(network.apply)(params, x)
        chex.assert_shape(energy, (3,))
        hidden = jax.nn.softplus(_convolve(x, params["convolution_0"]))
        np.testing.assert_allclose(energy, _convolve(hidden, params["energy"]).sum((1, 2, 3)), rtol=1e-5)

    def test_output_is_linear_and_takes_both_signs(self):
        network = conv_energy([ConvLayer(8), ConvLayer(1)], "softplus", 2.0, 6.0)
        x = jax.random.normal(_KEY, (16, 4, 4, 6))
        energies = jax.jit(jax.vmap(lambda key: network.apply(network.init(key, x), x)))(jax.random.split(_KEY, 6))
        self.assertLess(energies.min(), 0)
        self.assertGreater(energies.max(), 0)

    def test_authors_hamiltonian_reduces_the_grid_to_one_cell(self):
        network = conv_energy(AUTHORS_HAMILTONIAN, "softplus", 2.0, 1.0)
        x = jax.ShapeDtypeStruct((2, 4, 4, 32), jnp.float32)
        params = jax.eval_shape(network.init, _KEY, x)
        chex.assert_shape(jax.eval_shape(network.apply, params, x), (2,))
        shapes = [layer["w"].shape for layer in params.values()]
        self.assertCountEqual(shapes, [(3, 3, 32, 32), (2, 2, 32, 64), (2, 2, 64, 64), (2, 2, 64, 64), (2, 2, 64, 1)])


class MLPEnergyTest(parameterized.TestCase):
    @parameterized.parameters((6,), (4, 4, 6))
    def test_sees_all_numbers_of_a_state(self, *shape):
        network = mlp_energy((7, 5), "swish", 2.0, 1.0)
        x = jax.random.normal(_KEY, (3, *shape))
        params = jax.jit(network.init)(_KEY, x)
        hidden = np.asarray(x).reshape(3, -1)
        for layer in ("linear_0", "linear_1"):
            hidden = hidden @ np.asarray(params[layer]["w"]) + np.asarray(params[layer]["b"])
            hidden = hidden / (1.0 + np.exp(-hidden))
        expected = hidden @ np.asarray(params["output"]["w"]) + np.asarray(params["output"]["b"])
        np.testing.assert_allclose(jax.jit(network.apply)(params, x), expected[:, 0], rtol=1e-4, atol=1e-5)
