"""Tests of `hgn_jax.state_densities.density`: fits, correction of the energies, and the file."""

import jax
import numpy as np
import pytest

from hgn_jax.metrics.beyond_clip import quantile_distance
from hgn_jax.state_densities import density, flow
from hgn_jax.state_densities.energy_correction import fit_energy_correction
from hgn_jax.training.training_config import TrainingConfig

_KEY = jax.random.PRNGKey(0)


def _energy(points):
    return 0.5 * np.sum(points**2, axis=1)


def _ring(number, seed=0):
    """Points of oscillators with amplitudes between 0.95 and 1.05, a ring in phase space, in groups of five."""
    rng = np.random.default_rng(seed)
    radius, angle = np.repeat(rng.uniform(0.95, 1.05, number // 5), 5), rng.uniform(0.0, 2.0 * np.pi, number)
    return radius[:, None] * np.stack([np.cos(angle), np.sin(angle)], axis=1), np.arange(number) // 5


@pytest.fixture(scope="module")
def mixture_of_a_ring():
    return density.fit("mixture", *_ring(4000), _energy)


def test_samples_have_the_energies_of_the_data(mixture_of_a_ring):
    samples = density.sample(mixture_of_a_ring, _energy, _KEY, 4000)
    expected = _energy(_ring(20_000, seed=1)[0])
    assert quantile_distance(_energy(samples), expected) < 0.08
    raw = density.sample(mixture_of_a_ring._replace(correction=None), _energy, _KEY, 4000)
    assert quantile_distance(_energy(raw), expected) > 0.15
    np.testing.assert_allclose(samples.mean(axis=0), 0.0, atol=0.05)  # the angles are as before


def test_a_sample_is_the_beginning_of_a_longer_one(mixture_of_a_ring):
    short, long = (density.sample(mixture_of_a_ring, _energy, _KEY, number) for number in (3, 5000))
    np.testing.assert_array_equal(short, long[:3])
    assert len(long) == 5000


def test_another_energy_than_that_of_the_fit_is_refused(mixture_of_a_ring):
    with pytest.raises(ValueError, match="the density was fitted with another energy"):
        density.sample(mixture_of_a_ring, lambda points: _energy(points) + 10.0, _KEY, 5)


def test_the_correction_weighs_by_the_ratio_of_the_densities():
    rng = np.random.default_rng(0)
    data, samples = rng.uniform(0.0, 1.0, 20_000) ** 0.5, rng.uniform(-1.0, 2.0, 20_000)  # p(E) = 2 E
    correction = fit_energy_correction(data, samples)
    kept = samples[correction.accept(samples, rng.uniform(size=20_000))]
    assert quantile_distance(kept, data) < 0.03
    assert not correction.accept(np.array([-0.1, 1.1, np.nan]), np.zeros(3)).any()


@pytest.mark.parametrize("samples", [np.full(100, 5.0), np.full(100, np.nan)])
def test_there_is_no_correction_where_no_sample_would_be_kept(samples):
    assert fit_energy_correction(np.linspace(0.0, 1.0, 100), samples) is None


def test_a_density_is_read_as_it_was_written(mixture_of_a_ring, tmp_path):
    path = tmp_path / "density.npz"
    density.write(path, mixture_of_a_ring, step=7, source="here")
    again, facts = density.read(path)
    assert facts == {"step": 7, "source": "here"}
    assert (again.kind, again.held_out) == (mixture_of_a_ring.kind, mixture_of_a_ring.held_out)
    samples, expected = (density.sample(x, _energy, _KEY, 100) for x in (again, mixture_of_a_ring))
    np.testing.assert_array_equal(samples, expected)
    assert [file.name for file in tmp_path.iterdir()] == ["density.npz"]
    density.write(path, mixture_of_a_ring._replace(correction=None))
    assert density.read(path)[0].correction is None


def test_a_file_that_is_none_is_an_error(mixture_of_a_ring, tmp_path):
    with pytest.raises(FileNotFoundError):
        density.read(tmp_path / "nowhere.npz")
    damaged = tmp_path / "damaged.npz"
    damaged.write_text("nothing")
    with pytest.raises(ValueError, match=r"damaged.npz is damaged"):
        density.read(damaged)
    np.savez(damaged, version=99)
    with pytest.raises(ValueError, match="has version 99, and this program reads 1"):
        density.read(damaged)
    np.savez(damaged, version=1, kind="mixture")
    with pytest.raises(ValueError, match="lacks"):
        density.read(damaged)


def test_states_that_are_not_finite_or_of_one_clip_are_refused():
    with pytest.raises(ValueError, match="finite"):
        density.fit("mixture", np.full((4, 2), np.nan), np.arange(4), _energy)
    with pytest.raises(ValueError, match="two clips"):
        density.fit("mixture", np.ones((4, 2)), np.zeros(4), _energy)


@pytest.mark.slow
def test_a_flow_learns_a_gaussian_and_is_read_as_it_was_written(monkeypatch, tmp_path):
    settings = TrainingConfig(num_steps=400, batch_size=128, log_every=100, checkpoint_every=400)
    monkeypatch.setattr(flow.fit_flow, "__defaults__", (0, settings))
    points = np.random.default_rng(0).normal(size=(4000, 2)) * [1.0, 0.3] + 1.0
    fitted = density.fit("flow", points, np.arange(4000) // 5, _energy)
    entropy = 1.0 + np.log(2.0 * np.pi)  # of a normal distribution in two dimensions
    assert -entropy - 0.15 < fitted.held_out < -entropy + 0.1
    samples = density.sample(fitted, _energy, _KEY, 4000)
    np.testing.assert_allclose(samples.mean(axis=0), points.mean(axis=0), atol=0.1)
    np.testing.assert_allclose(samples.std(axis=0), points.std(axis=0), rtol=0.15)
    density.write(tmp_path / "density.npz", fitted)
    again, _ = density.read(tmp_path / "density.npz")
    np.testing.assert_array_equal(density.sample(again, _energy, _KEY, 10), samples[:10])
