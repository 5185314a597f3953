"""Tests of `experiments.clips.oscillation`, on true paths of the pendulum."""

import jax
import numpy as np
import pytest

from experiments.clips import beyond
from experiments.clips.oscillation import measure_oscillation
from hgn_jax import rollout
from hgn_jax.physics import systems
from hgn_jax.physics.phase_space import PhaseState
from tests.experiments.clips.true_oscillator import make_clips


@pytest.fixture(scope="module")
def clips(tmp_path_factory):
    return make_clips(tmp_path_factory.mktemp("data"), "pendulum")


def _paths(clips, long_clips, dt):
    """True paths with steps of `dt` from the middle of the long clips, as a rotated state `[clips, time, 2]`."""
    system = systems.get_system("pendulum", **clips.metadata["constants"])
    start = PhaseState(*(np.stack([x[name][0] for x in long_clips.examples]) for name in ("q", "p")))
    path = rollout(system.hamiltonian, start, dt, 200, "yoshida4", substeps=8)
    return np.swapaxes(np.concatenate(jax.tree.map(np.asarray, path), axis=-1), 0, 1) @ [[0.6, 0.8], [-0.8, 0.6]] + 5.0


def test_the_true_pendulum_has_the_true_periods(clips):
    long_clips = beyond.extend_clips(clips, 60)
    measured = measure_oscillation(clips, long_clips, _paths(clips, long_clips, clips.metadata["dt"]))
    np.testing.assert_allclose(measured.learned, measured.true, rtol=2e-3)
    assert measured.error < 1e-3
    assert len(measured.true) == len(long_clips.frames) and np.ptp(measured.true) > 0.01
    np.testing.assert_allclose(measured.amplitudes, np.abs(long_clips.q).max(axis=(1, 2)), rtol=0.02)


def test_a_pendulum_in_a_hurry_is_found_out(clips):
    long_clips = beyond.extend_clips(clips, 10)
    measured = measure_oscillation(clips, long_clips, _paths(clips, long_clips, 1.1 * clips.metadata["dt"]))
    assert measured.error == pytest.approx(1 - 1 / 1.1, rel=0.02)


def test_a_still_rollout_has_no_period(clips):
    long_clips = beyond.extend_clips(clips, 10)
    measured = measure_oscillation(clips, long_clips, np.zeros((9, 29, 4)))
    assert measured.error == np.inf and np.isnan(measured.learned).all()


@pytest.mark.parametrize("changes", [{"system": "two_body"}, {"damping": 0.1}, {"constant_ranges": {"l": (1, 2)}}])
def test_only_periods_that_are_known_are_compared(clips, changes):
    other = clips._replace(metadata={**clips.metadata, **changes})
    assert measure_oscillation(other, beyond.extend_clips(clips, 10), np.zeros((9, 29, 4))) is None
