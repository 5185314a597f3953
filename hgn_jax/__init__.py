"""Hamiltonian Generative Networks in JAX: learning physics from video.

What is imported from here comes from its module at the first use, so that a module that needs no JAX, such as one of
the configurations, does not wait for it.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # the same as the table below, for type checkers and editors
    from hgn_jax.models.hgn import make_hgn
    from hgn_jax.models.hgn_config import HGNConfig
    from hgn_jax.models.hnn import make_hnn
    from hgn_jax.models.hnn_config import HNNConfig
    from hgn_jax.models.nhf import make_nhf
    from hgn_jax.models.nhf_config import NHFConfig
    from hgn_jax.physics import systems
    from hgn_jax.physics.hamiltonian import separable, vector_field
    from hgn_jax.physics.integrators import rollout
    from hgn_jax.physics.phase_space import PhaseState

__all__ = [
    "HGNConfig",
    "HNNConfig",
    "NHFConfig",
    "PhaseState",
    "make_hgn",
    "make_hnn",
    "make_nhf",
    "rollout",
    "separable",
    "systems",
    "vector_field",
]

_MODULE_OF = {
    "HGNConfig": "hgn_jax.models.hgn_config",
    "HNNConfig": "hgn_jax.models.hnn_config",
    "NHFConfig": "hgn_jax.models.nhf_config",
    "PhaseState": "hgn_jax.physics.phase_space",
    "make_hgn": "hgn_jax.models.hgn",
    "make_hnn": "hgn_jax.models.hnn",
    "make_nhf": "hgn_jax.models.nhf",
    "rollout": "hgn_jax.physics.integrators",
    "separable": "hgn_jax.physics.hamiltonian",
    "vector_field": "hgn_jax.physics.hamiltonian",
}


def __getattr__(name: str) -> Any:
    if name == "systems":
        return importlib.import_module("hgn_jax.physics.systems")
    if name not in _MODULE_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = value = getattr(importlib.import_module(_MODULE_OF[name]), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
