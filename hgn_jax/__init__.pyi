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
from .prediction import Prediction, predict
from .pretrained.loading import load_pretrained
from .runs import load_run
from .training.in_memory import train
from .version import __version__

__all__ = [
    "HGNConfig",
    "HNNConfig",
    "NHFConfig",
    "PhaseState",
    "Prediction",
    "__version__",
    "data",
    "load_pretrained",
    "load_run",
    "make_hgn",
    "make_hnn",
    "make_nhf",
    "predict",
    "rollout",
    "separable",
    "systems",
    "train",
    "vector_field",
]
