"""The fit of true states to noisy positions, against linear least squares and against the truth."""

import numpy as np
import pytest

from experiments import noise_limit
from hgn_jax.physics import systems

_DT = 0.125


def test_states_of_a_mass_on_a_spring_are_those_of_linear_least_squares():
    system = systems.get_system("mass_spring")
    omega = np.sqrt(system.constants["k"] / system.constants["m"])
    t = _DT * np.arange(-7, 8)
    design = np.stack([np.cos(omega * t), np.sin(omega * t) / (system.constants["m"] * omega)], axis=1)
    observed = np.random.default_rng(0).standard_normal((4, 15))
    exact = np.linalg.lstsq(design, observed.T, rcond=None)[0].T

    fitted = noise_limit.fit_states(system, observed[..., None].astype(np.float32), np.zeros((4, 2), np.float32), _DT)

    np.testing.assert_allclose(fitted, exact, atol=1e-4)


@pytest.mark.parametrize("name", ["pendulum", "two_body"])
def test_without_noise_the_true_states_are_found_from_a_wrong_start(name):
    system = systems.get_system(name)
    rng = np.random.default_rng(1)
    size = int(np.prod(system.state_shape))
    true = rng.uniform(0.4, 0.8, (3, 2 * size)).astype(np.float32) * rng.choice([-1, 1], 2 * size)
    positions = np.asarray(noise_limit.follow(system, true, 4, 4, _DT))

    fitted = noise_limit.fit_states(system, positions, (true + 0.05).astype(np.float32), _DT)

    np.testing.assert_allclose(fitted, true, atol=2e-3)
