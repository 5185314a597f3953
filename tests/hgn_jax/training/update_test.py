"""Tests of `hgn_jax.training.update` and `hgn_jax.training.compilation`."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax
from absl.testing import absltest

from hgn_jax import training
from hgn_jax.training.geco import GECOConfig, geco
from tests.hgn_jax.training import toy

_MODEL, _GECO, _SGD = toy.ToyModel(), geco(GECOConfig(initial=2.0)), optax.sgd(0.1)


def _start(optimizer=_SGD):
    return training.init_state(_MODEL.init, optimizer, _GECO, 0, toy.batch_at(0))


def _split_batch_at(step):
    return training.split_among_devices(toy.batch_at(step), 1)


class UpdateTest(absltest.TestCase):
    def test_a_step_is_gradient_descent(self):
        state = _start()
        w, x = np.array(state.params["w"]), toy.batch_at(0)["x"]
        key = jax.random.fold_in(state.key, 0)
        noise = np.array([jax.random.normal(jax.random.fold_in(key, slot), ()) for slot in range(4)])
        residual = x @ w + 0.1 * noise - 1.0
        expected = w - 0.1 * (2.0 * (2.0 / 4.0) * residual @ x + 2.0 * w)
        update = training.make_update(_MODEL.loss, _SGD, _GECO, num_steps=1)
        state, scalars = update(state, _split_batch_at(0))
        np.testing.assert_allclose(state.params["w"], expected, rtol=1e-5)
        np.testing.assert_allclose(scalars["error"], np.mean(residual**2), rtol=1e-5)
        np.testing.assert_allclose(scalars["multiplier"], 2.0, rtol=1e-5)
        self.assertEqual((int(state.step), int(state.geco.count)), (1, 1))

    def test_the_loss_is_told_the_progress_and_the_number_of_each_example(self):
        def loss(params, multiplier, key, batch, *, progress, slots):
            return jnp.sum(params["w"]), {"progress": progress, "slots": jnp.sum(10.0**-slots)}

        option = "jax_disable_most_optimizations"  # set for all tests, but an optimisation could change the last bit
        self.addCleanup(jax.config.update, option, jax.config.read(option))
        jax.config.update(option, False)
        num_steps, state, rows = 50, _start(), []
        update = training.compile_update(
            training.make_update(loss, _SGD, _GECO, num_steps=num_steps), state, _split_batch_at(0)
        )
        for step in range(num_steps):
            state, scalars = update(state if step else jax.device_get(state), _split_batch_at(step))
            rows.append(jax.device_get(scalars))
        progress = np.array([row["progress"] for row in rows])
        np.testing.assert_array_equal(progress, (np.arange(num_steps) / num_steps).astype(np.float32))
        self.assertAlmostEqual(float(rows[0]["slots"]), 1.111, places=6)
        self.assertNotIn("multiplier", rows[0])  # there is no constraint
        self.assertEqual(int(state.geco.count), 0)

    def test_the_template_describes_the_first_state(self):
        optimizer = optax.adam(1e-3)
        template = training.state_template(_MODEL.init, optimizer, _GECO, 0, toy.batch_at(0))
        state = _start(optimizer)
        chex.assert_trees_all_equal_shapes_and_dtypes(template, state)

    def test_a_batch_is_split_in_order(self):
        batch = training.split_among_devices({"x": np.arange(12).reshape(6, 2)}, 3)
        chex.assert_shape(batch["x"], (3, 2, 2))
        np.testing.assert_array_equal(batch["x"].reshape(6, 2), np.arange(12).reshape(6, 2))

    def test_compiling_for_the_backend_changes_no_result(self):
        def function(x):
            return jnp.sin(x) @ x

        x = jnp.asarray(np.random.default_rng(0).normal(size=(8, 8)))
        compiled = training.compile_for_backend(jax.jit(function), x)
        np.testing.assert_allclose(compiled(x), function(x), rtol=1e-5)
