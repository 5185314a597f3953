"""The registered toy task, and one tiny run of every task that all tests share."""

from unittest import mock

import pytest

from experiments.tasks import TASKS
from tests.experiments import toy


@pytest.fixture
def toy_task():
    """The toy task, registered for the duration of a test."""
    with mock.patch.dict(TASKS.modules, {toy.NAME: toy.MODULE}):
        yield TASKS[toy.NAME]
