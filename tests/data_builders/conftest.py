"""Small chunks, so that a data set of a few trajectories does not cost the simulation of 500."""

import os
from unittest import mock

import pytest

from data_builders.simulation import draws, workers

_CHUNK_SIZE = 20


@pytest.fixture(autouse=True, scope="module")
def small_chunks(request):
    """Patches the chunk size, except in modules that set `FULL_CHUNKS`. Workers, which lack the patch, are not used."""
    if getattr(request.module, "FULL_CHUNKS", False):
        yield
        return
    environment = mock.patch.dict(os.environ, {workers.NUM_WORKERS_VARIABLE: "1"})
    with environment, mock.patch.object(draws, "CHUNK_SIZE", _CHUNK_SIZE):
        yield
