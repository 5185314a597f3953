"""Tests of `hgn_jax.training.loop`."""

import dataclasses
import functools
import json
import threading
import time

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax
from absl.testing import absltest, parameterized

from hgn_jax import training
from hgn_jax.errors import DivergenceError, Stopped
from hgn_jax.training.geco import GECOConfig, geco
from tests.hgn_jax.training import toy

_CONFIG = training.TrainingConfig(num_steps=12, batch_size=4, log_every=2, checkpoint_every=4)
_MODEL, _OPTIMIZER, _GECO = toy.ToyModel(), optax.adam(0.01), geco(GECOConfig(initial=2.0))


@functools.cache
def _update():
    return training.make_update(_MODEL.loss, _OPTIMIZER, _GECO, num_steps=_CONFIG.num_steps)


def _start():
    return training.init_state(_MODEL.init, _OPTIMIZER, _GECO, 0, toy.batch_at(0))


def _batch_at(step):
    return training.split_among_devices(toy.batch_at(step), 1)


class _Recorder:
    """Trains and records what is logged and saved."""

    def __init__(self):
        self.rows, self.saved = [], []

    def log(self, step, row):
        self.rows.append((step, row))

    def save(self, state, unlogged):
        self.saved.append((jax.tree.map(np.array, state), json.loads(json.dumps(unlogged))))

    def train(self, state, config=_CONFIG, batch_at=_batch_at, **kwargs):
        return training.train(_update(), state, batch_at, config, log=self.log, save=self.save, **kwargs)


class TrainTest(parameterized.TestCase):
    def test_intervals_of_logs_and_checkpoints(self):
        run = _Recorder()
        state = run.train(_start(), dataclasses.replace(_CONFIG, num_steps=11))
        self.assertEqual([step for step, _ in run.rows], [2, 4, 6, 8, 10, 11])
        self.assertEqual([int(state.step) for state, _ in run.saved], [4, 8, 11])
        self.assertEqual(int(state.step), 11)

    @parameterized.parameters(1, 4, 7, 11)
    def test_a_stopped_run_continues_as_if_it_had_not_stopped(self, step):
        whole, run, asked = _Recorder(), _Recorder(), []
        expected = whole.train(_start())

        def stop(done):
            asked.append(done)
            return done == step

        with self.assertRaisesRegex(Stopped, f"after step {step}, which is saved"):
            run.train(_start(), stop=stop)
        self.assertEqual(asked, list(range(1, step + 1)))
        state, unlogged = run.saved[-1]
        self.assertEqual(int(state.step), step)
        self.assertLen(unlogged, step % _CONFIG.log_every)
        resumed = run.train(jax.tree.map(jnp.asarray, state), unlogged=unlogged)
        chex.assert_trees_all_equal(resumed, expected)
        self.assertEqual(run.rows, whole.rows)

    def test_a_request_to_stop_after_the_last_step_is_ignored(self):
        state = _Recorder().train(_start(), dataclasses.replace(_CONFIG, num_steps=1), stop=lambda step: True)
        self.assertEqual(int(state.step), 1)

    @parameterized.parameters(5, 8)
    def test_stops_at_the_first_number_that_is_not_finite(self, bad_step):
        def batch_at(step):
            return {"x": _batch_at(step)["x"] * np.float32(np.nan if step + 1 == bad_step else 1.0)}

        run = _Recorder()
        with self.assertRaisesRegex(DivergenceError, f"error.* not finite at step {bad_step}$") as caught:
            run.train(_start(), batch_at=batch_at)
        self.assertEqual(caught.exception.step, bad_step)
        self.assertEqual([int(state.step) for state, _ in run.saved], [4])


class PrefetchTest(absltest.TestCase):
    def test_keeps_the_order_and_reads_one_batch_ahead(self):
        asked, lock = [], threading.Lock()

        def batch_at(step):
            with lock:
                asked.append(step)
            return {"step": step}

        seen = []
        for batch in training.prefetch(batch_at, range(3, 8)):
            time.sleep(0.01)
            seen.append(batch["step"])
            self.assertLessEqual(max(asked), batch["step"] + 1)
        self.assertEqual(seen, [3, 4, 5, 6, 7])
        self.assertEqual(asked, seen)
        self.assertEmpty(list(training.prefetch(batch_at, range(0))))

    def test_passes_errors_on(self):
        def broken(step):
            raise OSError("shard is gone")

        with self.assertRaisesRegex(OSError, "shard is gone"):
            list(training.prefetch(broken, range(2)))
