"""Hamiltonian Generative Networks in JAX: learning physics from video.

What is imported from here comes from its module at the first use, so that a module that needs no JAX, such as one of
the configurations, does not wait for it.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # the same as the table below, for type checkers and editors
    from hgn_jax import systems
    from hgn_jax.hamiltonian import separable, vector_field
    from hgn_jax.hgn import make_hgn
    from hgn_jax.hgn_config import HGNConfig
    from hgn_jax.hnn import make_hnn
    from hgn_jax.hnn_config import HNNConfig
    from hgn_jax.integrators import rollout
    from hgn_jax.nhf import make_nhf
    from hgn_jax.nhf_config import NHFConfig
    from hgn_jax.phase_space import PhaseState

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
    "HGNConfig": "hgn_jax.hgn_config",
    "HNNConfig": "hgn_jax.hnn_config",
    "NHFConfig": "hgn_jax.nhf_config",
    "PhaseState": "hgn_jax.phase_space",
    "make_hgn": "hgn_jax.hgn",
    "make_hnn": "hgn_jax.hnn",
    "make_nhf": "hgn_jax.nhf",
    "rollout": "hgn_jax.integrators",
    "separable": "hgn_jax.hamiltonian",
    "vector_field": "hgn_jax.hamiltonian",
}


def __getattr__(name: str) -> Any:
    if name == "systems":
        return importlib.import_module("hgn_jax.systems")
    if name not in _MODULE_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = value = getattr(importlib.import_module(_MODULE_OF[name]), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
