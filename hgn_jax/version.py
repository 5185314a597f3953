"""The version of the installed package, which `setup.py` says."""

import importlib.metadata

try:
    __version__ = importlib.metadata.version("hgn_jax")
except importlib.metadata.PackageNotFoundError:  # a checkout on the path, not installed
    __version__ = "0+unknown"
