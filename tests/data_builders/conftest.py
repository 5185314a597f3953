"""Small chunks, so that a data set of a few trajectories does not cost the simulation of 500."""

from unittest import mock

import pytest

from data_builders.simulation import draws

_CHUNK_SIZE = 20


@pytest.fixture(autouse=True, scope="module")
def small_chunks(request):
    """Patches the chunk size, except in modules that set `FULL_CHUNKS`."""
    size = draws.CHUNK_SIZE if getattr(request.module, "FULL_CHUNKS", False) else _CHUNK_SIZE
    with mock.patch.object(draws, "CHUNK_SIZE", size):
        yield
