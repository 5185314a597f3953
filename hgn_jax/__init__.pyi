from . import data
from .models.hgn import make_hgn
from .models.hgn_config import HGNConfig
from .models.hnn import make_hnn
from .models.hnn_config import HNNConfig
from .models.nhf import make_nhf
from .models.nhf_config import NHFConfig
from .physics import systems
from .physics.hamiltonian import separable, vector_field
from .physics.integrators import rollout
from .physics.phase_space import PhaseState
from .runs import load_run

__all__ = [
    "HGNConfig",
    "HNNConfig",
    "NHFConfig",
    "PhaseState",
    "data",
    "load_run",
    "make_hgn",
    "make_hnn",
    "make_nhf",
    "rollout",
    "separable",
    "systems",
    "vector_field",
]
