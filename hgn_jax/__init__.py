"""Hamiltonian Generative Networks in JAX: learning physics from video.

The public names are listed in `__init__.pyi`. Each is imported from its module when it is first used, so that
importing the package, or a configuration, does not import JAX.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
