"""The synthetic targets of the experiments by name. Nearly all of their mass lies in [-4, 4]^2."""

import math
from collections.abc import Callable

from hgn_jax.models.densities.base import Density, gaussian_mixture
from hgn_jax.models.densities.plane import checkerboard, grid_mixture, pinwheel, ring_mixture, rings, two_moons

TARGETS: dict[str, Callable[[], Density]] = {
    "two_modes": lambda: gaussian_mixture([[-2.0, 0.0], [2.0, 0.0]], 0.5, name="two_modes"),
    "four_modes": lambda: grid_mixture(2, 4.0, 0.5, name="four_modes"),
    "nine_modes": lambda: grid_mixture(3, 2.0, 0.3, name="nine_modes"),
    "ring_of_eight": lambda: ring_mixture(8, 4.0 / math.sqrt(2), 0.5 / math.sqrt(2), name="ring_of_eight"),
    "grid_of_25": lambda: grid_mixture(5, 1.5, 0.2, name="grid_of_25"),
    "two_moons": two_moons,
    "rings": rings,
    "pinwheel": pinwheel,
    "checkerboard": checkerboard,
}
"""The targets by name, each as a function that makes it."""


def get_target(name: str) -> Density:
    """Returns the target called `name`; raises ValueError with the valid names for any other."""
    if name not in TARGETS:
        raise ValueError(f"unknown target {name!r}; choose one of {', '.join(TARGETS)}")
    return TARGETS[name]()
