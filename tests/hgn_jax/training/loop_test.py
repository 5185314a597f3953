"""Tests of `hgn_jax.training.loop`."""

import dataclasses
import json
import os
import subprocess
import sys
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
from hgn_jax.training import OptimizerConfig, TrainingConfig
from hgn_jax.training.geco import GECOConfig, geco
from tests.root import ROOT

_CONFIG = TrainingConfig(num_steps=12, batch_size=4, log_every=2, checkpoint_every=4)


def _init(key, batch):
    return {"w": jax.random.normal(key, batch["x"].shape[1:])}


def _loss(params, multiplier, key, batch, *, progress, slots):
    """A regression with noise, so that a step depends on the batch, the key and the multiplier."""
    noise = jax.vmap(lambda slot: jax.random.normal(jax.random.fold_in(key, slot), ()))(slots)
    error = jnp.mean((batch["x"] @ params["w"] + 0.1 * noise - 1.0) ** 2)
    return multiplier * (error - 0.1) + jnp.sum(params["w"] ** 2), {"error": error, "constraint": error - 0.1}


def _batch_at(step):
    return training.split_among_devices({"x": np.random.default_rng(step).normal(size=(4, 3)).astype(np.float32)}, 1)


def _start(optimizer):
    return training.init_state(_init, optimizer, geco(GECOConfig(initial=2.0)), 0, {"x": np.ones((4, 3), np.float32)})


def _run(state, optimizer, config=_CONFIG, batch_at=_batch_at, loss=_loss, saved=None):
    """Trains; returns the last state, the rows that were logged and copies of the states that were saved."""
    saved = [] if saved is None else saved
    update = training.make_update(loss, optimizer, geco(GECOConfig(initial=2.0)), num_steps=config.num_steps)
    rows = []
    state = training.train(
        update, state, batch_at, config, log=lambda step, row: rows.append((step, row)),
        save=lambda state, unlogged: saved.append(jax.tree.map(np.array, state)),
    )  # fmt: skip
    return state, rows, saved


class TrainTest(parameterized.TestCase):
    def test_a_step_is_gradient_descent(self):
        optimizer = optax.sgd(0.1)
        state = _start(optimizer)
        w, x = np.array(state.params["w"]), _batch_at(0)["x"][0]
        key = jax.random.fold_in(state.key, 0)
        noise = np.array([jax.random.normal(jax.random.fold_in(key, slot), ()) for slot in range(4)])
        residual = x @ w + 0.1 * noise - 1.0
        expected = w - 0.1 * (2.0 * (2.0 / 4.0) * residual @ x + 2.0 * w)
        state, rows, _ = _run(state, optimizer, dataclasses.replace(_CONFIG, num_steps=1))
        np.testing.assert_allclose(state.params["w"], expected, rtol=1e-5)
        self.assertAlmostEqual(rows[0][1]["error"], float(np.mean(residual**2)), places=5)
        self.assertAlmostEqual(rows[0][1]["multiplier"], 2.0, places=5)
        self.assertEqual(int(state.geco.count), 1)

    def test_rhythm(self):
        optimizer = optax.adam(0.01)
        config = dataclasses.replace(_CONFIG, num_steps=11)
        state, rows, saved = _run(_start(optimizer), optimizer, config)
        self.assertEqual([step for step, _ in rows], [2, 4, 6, 8, 10, 11])
        self.assertEqual([int(s.step) for s in saved], [4, 8, 11])
        self.assertEqual(int(state.step), 11)

    def test_a_resumed_run_is_the_run_that_was_not_stopped(self):
        optimizer = optax.adam(0.01)
        whole, rows, saved = _run(_start(optimizer), optimizer)
        resumed, later, _ = _run(jax.tree.map(jnp.asarray, saved[1]), optimizer)
        chex.assert_trees_all_equal(whole, resumed)
        self.assertEqual(later, rows[4:])

    @parameterized.parameters(1, 4, 5, 7, 11)
    def test_a_run_that_is_told_to_stop_saves_and_goes_on_as_if_it_had_not_been(self, step):
        optimizer = optax.adam(0.01)
        whole, expected, _ = _run(_start(optimizer), optimizer)
        rows, saved, asked = [], [], []

        def stop(done):
            asked.append(done)
            return len(asked) == step

        update = training.make_update(_loss, optimizer, geco(GECOConfig(initial=2.0)), num_steps=12)
        how = {
            "log": lambda step, row: rows.append((step, row)),
            "save": lambda state, unlogged: saved.append((jax.tree.map(np.array, state), json.dumps(unlogged))),
        }
        with self.assertRaisesRegex(Stopped, f"after step {step}, which is saved"):
            training.train(update, _start(optimizer), _batch_at, _CONFIG, **how, stop=stop)
        state, unlogged = saved[-1]
        self.assertEqual(int(state.step), step)
        self.assertLen(json.loads(unlogged), step % _CONFIG.log_every)
        state = jax.tree.map(jnp.asarray, state)
        resumed = training.train(update, state, _batch_at, _CONFIG, **how, unlogged=json.loads(unlogged))
        chex.assert_trees_all_equal(whole, resumed)
        self.assertEqual(rows, expected)

    def test_told_to_stop_after_the_last_step_it_is_done(self):
        optimizer = optax.adam(0.01)
        update = training.make_update(_loss, optimizer, geco(GECOConfig(initial=2.0)), num_steps=12)
        config = dataclasses.replace(_CONFIG, num_steps=1)
        state = training.train(
            update,
            _start(optimizer),
            _batch_at,
            config,
            log=lambda *_: None,
            save=lambda *_: None,
            stop=lambda step: True,
        )
        self.assertEqual(int(state.step), 1)

    @parameterized.parameters((5, "error"), (8, "error"))
    def test_stops_at_the_first_number_that_is_not_finite(self, bad_step, name):
        def batch_at(step):
            batch = _batch_at(step)
            if step + 1 == bad_step:
                batch["x"][...] = np.nan
            return batch

        optimizer = optax.adam(0.01)
        saved = []
        with self.assertRaisesRegex(DivergenceError, f"{name}.* not finite at step {bad_step}$") as caught:
            _run(_start(optimizer), optimizer, batch_at=batch_at, saved=saved)
        self.assertEqual(caught.exception.step, bad_step)
        self.assertEqual([int(state.step) for state in saved], [4])

    def test_a_loss_without_constraint_leaves_the_multiplier(self):
        def plain(params, multiplier, key, batch, *, progress, slots):
            return jnp.sum(params["w"] ** 2), {}

        optimizer = optax.sgd(0.1)
        state, rows, _ = _run(_start(optimizer), optimizer, loss=plain)
        self.assertEqual(int(state.geco.count), 0)
        self.assertNotIn("multiplier", rows[0][1])

    def test_the_loss_is_told_the_progress_and_the_number_of_each_example(self):
        def loss(params, multiplier, key, batch, *, progress, slots):
            return jnp.sum(params["w"]), {"progress": progress, "slots": jnp.sum(10.0**-slots)}

        optimizer = optax.sgd(0.1)
        config = dataclasses.replace(_CONFIG, num_steps=50, log_every=1, checkpoint_every=50)
        _, rows, _ = _run(_start(optimizer), optimizer, config, loss=loss)
        progress = [row["progress"] for _, row in rows]
        np.testing.assert_array_equal(progress, (np.arange(50) / 50).astype(np.float32))  # to the last bit
        self.assertAlmostEqual(rows[0][1]["slots"], 1.111, places=6)

    def test_devices_share_a_step_without_changing_it(self):
        outputs = [
            subprocess.run(
                [sys.executable, __file__, "--devices"], capture_output=True, text=True, check=True,
                env={
                    **os.environ,
                    "PYTHONPATH": str(ROOT),
                    "XLA_FLAGS": f"--xla_force_host_platform_device_count={n}",
                },
            ).stdout.split()
            for n in (1, 2)
        ]  # fmt: skip
        self.assertEqual([output[0] for output in outputs], ["1", "2"])
        np.testing.assert_allclose(*[np.array(output[1:], float) for output in outputs], rtol=1e-5)


class PartsTest(parameterized.TestCase):
    def test_a_batch_is_split_in_order(self):
        batch = training.split_among_devices({"x": np.arange(12).reshape(6, 2)}, 3)
        chex.assert_shape(batch["x"], (3, 2, 2))
        np.testing.assert_array_equal(batch["x"].reshape(6, 2), np.arange(12).reshape(6, 2))

    def test_prefetch_keeps_order_and_reads_ahead_by_one(self):
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

    def test_prefetch_passes_errors_on(self):
        def broken(step):
            raise OSError("shard is gone")

        with self.assertRaisesRegex(OSError, "shard is gone"):
            list(training.prefetch(broken, range(2)))

    def test_compiling_for_the_backend_changes_no_result(self):
        def function(x):
            return jnp.sin(x) @ x

        x = jnp.asarray(np.random.default_rng(0).normal(size=(8, 8)))
        compiled = training.compile_for_backend(jax.jit(function), x)
        np.testing.assert_allclose(compiled(x), function(x), rtol=1e-5)

    def test_schedules(self):
        cosine = training.learning_rate_schedule(OptimizerConfig(2e-3, "cosine", warmup_fraction=0.1), 100)
        self.assertEqual(float(cosine(0)), 0.0)
        self.assertAlmostEqual(float(cosine(10)), 2e-3, places=8)
        self.assertAlmostEqual(float(cosine(55)), 1e-3, places=8)
        self.assertAlmostEqual(float(cosine(100)), 0.0, places=8)
        constant = training.learning_rate_schedule(OptimizerConfig(), 100)
        self.assertAlmostEqual(float(constant(0)), 1.5e-4, places=8)
        self.assertAlmostEqual(float(constant(99)), 1.5e-4, places=8)

    def test_gradient_clip(self):
        optimizer = training.make_optimizer(OptimizerConfig(gradient_clip=1.0), 10)
        params = jnp.zeros(2)
        huge, _ = optimizer.update(jnp.asarray([3e6, 4e6]), optimizer.init(params))
        unit, _ = optimizer.update(jnp.asarray([0.6, 0.8]), optimizer.init(params))
        np.testing.assert_allclose(huge, unit, rtol=1e-4)

    @parameterized.parameters(
        ({"schedule": "linear"}, {}, "schedule must be one of"),
        ({"learning_rate": 0.0}, {}, "learning_rate must be positive"),
        ({"gradient_clip": -1.0}, {}, "gradient_clip must be positive"),
        ({"warmup_fraction": 1.0}, {}, r"warmup_fraction must be in \[0, 1\)"),
        ({}, {"num_steps": 0}, "num_steps must be 1"),
        ({}, {"seed": -1}, "seed must be 0"),
        ({}, {"checkpoint_every": 5}, "multiple of training.log_every=2"),
        ({}, {"batch_size": 6}, "batch_size=6 cannot be divided evenly among 4 devices"),
    )
    def test_refuses(self, optimizer, config, message):
        with self.assertRaisesRegex(ValueError, message):
            training.validate(
                dataclasses.replace(OptimizerConfig(), **optimizer), dataclasses.replace(_CONFIG, **config), 4
            )


def _print_parameters_after_training():
    """Trains on all local devices and prints their number and the parameters; SGD, as Adam hides a wrong scale."""
    num_devices = jax.local_device_count()

    def batch_at(step):
        return training.split_among_devices({"x": _batch_at(step)["x"][0]}, num_devices)

    optimizer = optax.sgd(0.02)
    state, _, _ = _run(_start(optimizer), optimizer, batch_at=batch_at)
    print(num_devices, *np.array(state.params["w"]).tolist(), float(state.geco.multiplier))


if __name__ == "__main__":
    if "--devices" in sys.argv:
        _print_parameters_after_training()
    else:
        absltest.main()
