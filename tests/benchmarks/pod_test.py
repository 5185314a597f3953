"""Tests of `benchmarks.pod`."""

import jax
import numpy as np
import pytest

from benchmarks import pod, train_step
from experiments.comparison.step_timing import random_batch
from experiments.hgn import presets
from hgn_jax.models.hgn import make_hgn


def test_the_bytes_are_those_of_the_parameters_of_a_model():
    config = train_step.smallest(presets.PRESETS["mass_spring"])
    params = make_hgn(config).init(jax.random.PRNGKey(0), random_batch(config, 1))
    assert pod.gradient_bytes(config) == sum(np.asarray(x).nbytes for x in jax.tree.leaves(params))


@pytest.mark.parametrize("num_devices", [2, 4, 8])
def test_an_exchange_takes_the_messages_of_a_ring_that_is_played_through(num_devices):
    held = np.random.default_rng(0).integers(100, size=(num_devices, num_devices, 16))  # device, share, values
    total, num_bytes, speed, seconds = held.sum(axis=0), held[0].nbytes, 1e9, 0.0
    devices = np.arange(num_devices)
    for message in range(2 * (num_devices - 1)):
        share = (devices - message) % num_devices
        sent = held[devices, share]
        to = (devices + 1) % num_devices
        held[to, share] = sent + held[to, share] * (message < num_devices - 1)
        seconds += sent[0].nbytes / speed + 10e-6
    assert (held == total).all()
    assert pod.all_reduce_seconds(num_bytes, num_devices, speed) == pytest.approx(seconds)


def test_links_without_end_cost_only_their_latency():
    config = train_step.smallest(presets.PRESETS["mass_spring"])
    slow, fast = (pod.table(config, 0.035, speed).rows for speed in (1e6, 1e15))
    assert [float(row[3]) for row in fast] == pytest.approx([1.0, 0.97, 0.87, 0.63], abs=0.01)
    assert all(float(a[3]) < float(b[3]) for a, b in zip(slow, fast, strict=True))
