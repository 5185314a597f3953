"""Tiny data sets for tests, each built once per process."""

import atexit
import functools
import pathlib
import shutil
import tempfile
from typing import Any

from data_builders import datasets

SIZE = {"num_train": 12, "num_test": 5, "num_steps": 4}


@functools.cache
def _root() -> str:
    root = tempfile.mkdtemp()
    atexit.register(shutil.rmtree, root, ignore_errors=True)
    return root


def config(name: str, base: str = "small", **overrides: Any):
    """Returns the configuration of a data set with 12 + 5 trajectories of 5 frames."""
    return datasets.derive_config(name, base, **{**SIZE, **overrides})


def built(name: str, base: str = "small", **overrides: Any) -> pathlib.Path:
    """Returns the directory of a tiny data set that all tests share. Copy it to change it."""
    return datasets.ensure_built(name, config(name, base, **overrides), _root(), num_workers=1)


def copy(path: pathlib.Path, data_dir: str) -> pathlib.Path:
    """Copies a data set under another root; returns its directory there."""
    return shutil.copytree(path, pathlib.Path(data_dir, *path.parts[-3:]))
