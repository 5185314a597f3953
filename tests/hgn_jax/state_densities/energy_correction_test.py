"""Tests of `hgn_jax.state_densities.energy_correction`."""

import numpy as np

from hgn_jax.state_densities.energy_correction import fit_energy_correction


def _kept(data, samples):
    correction = fit_energy_correction(data, samples)
    return samples[correction.accept(samples, np.random.default_rng(9).uniform(size=len(samples)))]


def test_samples_get_the_quantiles_of_the_data_whatever_their_own():
    rng = np.random.default_rng(0)
    data, samples = rng.normal(0.0, 1.0, 8000), rng.normal(0.5, 2.0, 400_000)
    levels = np.linspace(0.03, 0.97, 50)
    np.testing.assert_allclose(np.quantile(_kept(data, samples), levels), np.quantile(data, levels), atol=0.06)


def test_a_few_outliers_of_the_data_do_not_let_many_samples_through():
    """Of 8000 energies in [0, 1], ten lie far away, where half of all samples lie."""
    rng = np.random.default_rng(0)
    data = np.concatenate([rng.uniform(size=7990), rng.uniform(5.0, 10.0, 10)])
    samples = np.concatenate([rng.uniform(size=20_000), rng.uniform(1.0, 10.0, 20_000)])
    assert np.mean(_kept(data, samples) > 1.0) < 0.01  # the outermost bin holds 1/128 of the data
