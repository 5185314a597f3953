"""Training of any model that satisfies the `Model` protocol: training step, loop, GECO, checkpoints, processes, logs.

Nothing here may know a particular model. The public names are listed in `__init__.pyi` and imported on first use.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
