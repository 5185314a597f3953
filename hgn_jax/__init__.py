"""Hamiltonian Generative Networks in JAX: learning physics from video."""

from hgn_jax import systems
from hgn_jax.hamiltonian import separable, vector_field
from hgn_jax.hgn import make_hgn
from hgn_jax.hgn_config import HGNConfig
from hgn_jax.integrators import rollout
from hgn_jax.nhf import make_nhf
from hgn_jax.nhf_config import NHFConfig
from hgn_jax.phase_space import PhaseState

__all__ = [
    "HGNConfig",
    "NHFConfig",
    "PhaseState",
    "make_hgn",
    "make_nhf",
    "rollout",
    "separable",
    "systems",
    "vector_field",
]
