"""The registered toy task, and one tiny run of every task that all tests share."""

import functools
import os
from unittest import mock

import pytest

from experiments.tasks import TASKS
from tests.experiments import toy


@pytest.fixture
def toy_task():
    """The toy task, registered for the duration of a test."""
    with mock.patch.dict(TASKS.modules, {toy.NAME: toy.MODULE}):
        yield TASKS[toy.NAME]


@pytest.fixture(scope="session")
def tiny_runs(tmp_path_factory):
    """Function of a name in `tiny_runs.NAMES` that returns the finished run, which all workers share."""
    from tests.experiments.tiny_runs import finished

    root = tmp_path_factory.getbasetemp()
    root = root.parent if "PYTEST_XDIST_WORKER" in os.environ else root
    return functools.cache(lambda name: finished(name, root))
