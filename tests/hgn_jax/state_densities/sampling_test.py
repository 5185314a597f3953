"""Tests of `hgn_jax.state_densities.sampling`."""

import jax
import numpy as np
import pytest

from hgn_jax import HGNConfig, PhaseState, make_hgn
from hgn_jax.state_densities import density
from hgn_jax.state_densities.sampling import energy_of_points, sample_states, to_points, to_states

_KEY = jax.random.PRNGKey(0)
_FILTERS = dict.fromkeys(("encoder_filters", "transform_filters", "hamiltonian_filters", "decoder_filters"), (4,))
_GRID = HGNConfig(image_size=8, state_channels=3, **_FILTERS)
_VECTOR = HGNConfig(image_size=8, state_channels=3, latent="vector", hamiltonian_network="mlp", **_FILTERS)


@pytest.mark.parametrize(("config", "shape"), [(_GRID, (4, 4, 3)), (_VECTOR, (3,))])
def test_states_become_points_and_come_back(config, shape):
    rng = np.random.default_rng(0)
    states = PhaseState(*(rng.normal(size=(5, *shape)).astype(np.float32) for _ in range(2)))
    points = to_points(states)
    assert points.shape == (5, 2 * np.prod(shape))
    for half, other in zip(to_states(points, config), states, strict=True):
        np.testing.assert_array_equal(half, other)
    paths = to_points(PhaseState(*(half[None] for half in states)), num_axes=2)
    np.testing.assert_array_equal(paths, points[None])


def test_states_are_sampled_with_the_learned_energy():
    hgn = make_hgn(_VECTOR)
    params = jax.jit(hgn.init)(_KEY, {"image": np.zeros((1, 3, 8, 8, 3), np.uint8)})
    points = np.random.default_rng(0).normal(size=(400, 6))
    energy = energy_of_points(hgn, params)
    fitted = density.fit("mixture", points, np.arange(400) // 4, energy)
    states = sample_states(fitted, hgn, params, _KEY, 50)
    assert states.q.shape == states.p.shape == (50, 3)
    energies = np.asarray(jax.jit(hgn.hamiltonian(params))(states))
    np.testing.assert_allclose(energies, energy(to_points(states)), rtol=1e-5)
    data = energy(points)
    assert data.min() <= energies.min() and energies.max() <= data.max()
