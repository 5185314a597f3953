"""The systems that the tests simulate."""

import numpy as np

from data_builders.simulation import draws

MASS_SPRING = draws.Simulation("mass_spring", {"k": 2.0, "m": 0.5}, (0.1, 1.0), observation_noise=0.1)
PENDULUM = draws.Simulation("pendulum", {"m": 0.5, "g": 3.0, "l": 1.0}, (1.3, 2.3), observation_noise=0.1)
TWO_BODY = draws.Simulation(
    "two_body", {"m": 1.0, "g": 1.0}, (0.5, 1.5), observation_noise=0.05, velocity_perturbation=0.1
)
THREE_BODY = draws.Simulation(
    "three_body", {"m": 1.0, "g": 1.0}, (0.9, 1.2), observation_noise=0.2, velocity_perturbation=0.1
)
DOUBLE_PENDULUM = draws.Simulation(
    "double_pendulum", {"m1": 0.5, "m2": 0.7, "g": 3.0, "l1": 1.0, "l2": 0.8}, (1.3, 2.3), observation_noise=0.05
)
ALL = tuple((setting.system, setting) for setting in (MASS_SPRING, PENDULUM, TWO_BODY, THREE_BODY, DOUBLE_PENDULUM))
BODIES = ALL[2:4]


def planar(x: np.ndarray) -> np.ndarray:
    """Reshapes stored coordinates `[..., 2n]` to `[..., n, 2]`."""
    return x.reshape(*x.shape[:-1], -1, 2)
