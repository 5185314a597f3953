"""Data sets and tables, and the order in which training takes the examples.

`datasets.py` is the only file of the library that imports TFDS. The public names are listed in `__init__.pyi` and
imported when they are first used.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
