"""Phase space, Hamiltonians, integrators and the true systems.

Plain mathematics of arrays: no networks, no training, no files.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__, submodules=["systems"]
)  # for `from hgn_jax import systems`
