"""Importing any module of the packages changes nothing of the program that does so, such as a notebook."""

import subprocess
import sys

import pytest

from tests.root import ROOT

# What other libraries change when they are imported is not ours, so they are imported before.
_PROGRAM = """
import importlib, logging, os, pkgutil, signal, sys, threading, warnings
import absl.logging, av, cattrs, haiku, imageio, jax, matplotlib, ml_collections, numpy as np, optax, orbax.checkpoint
import pandas, scipy.stats, sklearn.datasets, tensorboardX, tensorflow_datasets

matplotlib.use("svg")

def state():
    loggers = {"root": logging.getLogger(), **logging.root.manager.loggerDict}
    return {
        "signals": {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGPIPE)},
        "hooks": [sys.excepthook, sys.unraisablehook, threading.excepthook, sys.displayhook],
        "loggers": {
            name: (logger.level, list(logger.handlers), logger.disabled, logger.propagate)
            for name, logger in loggers.items()
            if isinstance(logger, logging.Logger) and (logger.handlers or logger.level)
        },
        "verbosity of absl": absl.logging.get_verbosity(),
        "matplotlib": (matplotlib.get_backend(), dict(matplotlib.rcParams)),
        "environment": dict(os.environ),
        "NumPy": (np.geterr(), np.get_printoptions()),
        "JAX": dict(jax.config.values),
        "warnings": list(warnings.filters),
        "streams": [(stream.encoding, stream.errors) for stream in (sys.stdout, sys.stderr)],
        "arguments": (list(sys.argv), list(sys.path), os.getcwd()),
    }

before = state()
for package in ("hgn_jax", "data_builders", "experiments"):
    module = importlib.import_module(package)
    for found in pkgutil.walk_packages(module.__path__, package + "."):
        if found.name.endswith(("__main__", "beam_pipeline")):  # programs, and what needs Apache Beam
            continue
        importlib.import_module(found.name)
        after = state()
        for what in before:
            assert str(before[what]) == str(after[what]), f"{found.name} changes {what}: {before[what]}, {after[what]}"
"""


@pytest.mark.slow
def test_importing_changes_nothing():
    subprocess.run([sys.executable, "-c", _PROGRAM], cwd=ROOT, check=True)
