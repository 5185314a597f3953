"""Normalised densities with exact samplers: the priors and the synthetic targets of NHF (Sec. 3.3 of the paper).

Log densities are in nats, computed in the precision of their argument. Samples have JAX's default precision.
"""

from hgn_jax.models.densities.base import Density, gaussian_mixture, normal, soft_uniform
from hgn_jax.models.densities.plane import checkerboard, grid_mixture, pinwheel, ring_mixture, rings, two_moons
from hgn_jax.models.densities.targets import TARGETS, get_target

__all__ = [
    "TARGETS",
    "Density",
    "checkerboard",
    "gaussian_mixture",
    "get_target",
    "grid_mixture",
    "normal",
    "pinwheel",
    "ring_mixture",
    "rings",
    "soft_uniform",
    "two_moons",
]
