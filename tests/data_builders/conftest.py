"""Small chunks and batches: a data set of a few trajectories need not cost the simulation of 500, or 480 frames."""

import os
from unittest import mock

import pytest

from data_builders.rendering import images
from data_builders.simulation import draws, workers

_CHUNK_SIZE = 20
_PIXELS_PER_CALL = 64 * 32 * 32


@pytest.fixture(autouse=True, scope="module")
def small_chunks(request):
    """Patches both sizes, except in modules that set `FULL_CHUNKS`. Workers, which lack the patch, are not used."""
    if getattr(request.module, "FULL_CHUNKS", False):
        yield
        return
    with (
        mock.patch.dict(os.environ, {workers.NUM_WORKERS_VARIABLE: "1"}),
        mock.patch.object(draws, "CHUNK_SIZE", _CHUNK_SIZE),
        mock.patch.object(images, "_PIXELS_PER_CALL", _PIXELS_PER_CALL),
    ):
        yield
