"""Tests of `hgn_jax.checkpoints`."""

import pathlib

import chex
import jax
import jax.numpy as jnp
import optax
from absl.testing import absltest

from hgn_jax.checkpoints import Checkpoints
from hgn_jax.geco import GECOConfig, geco
from hgn_jax.training import TrainState


def _state(step):
    params = {"part": {"w": jnp.full((2, 3), float(step)), "b": jnp.arange(3.0)}}
    opt_state = optax.chain(optax.clip_by_global_norm(1.0), optax.adam(1e-3)).init(params)
    return TrainState(jnp.int32(step), params, opt_state, geco(GECOConfig()).init(), jax.random.PRNGKey(step))


class CheckpointsTest(absltest.TestCase):
    def setUp(self):
        super().setUp()
        self.directory = pathlib.Path(self.create_tempdir().full_path) / "checkpoints"

    def test_round_trip_keeps_structure_types_and_values(self):
        Checkpoints(self.directory).save(7, _state(7), {"seconds": 1.5})
        state, notes = Checkpoints(self.directory).restore(_state(0))
        chex.assert_trees_all_equal(state, _state(7))
        chex.assert_trees_all_equal_dtypes(state, _state(7))
        self.assertEqual(jax.tree.structure(state), jax.tree.structure(_state(7)))
        self.assertEqual(notes, {"seconds": 1.5})

    def test_keeps_the_newest(self):
        checkpoints = Checkpoints(self.directory, keep=2)
        self.assertIsNone(checkpoints.latest_step)
        for step in (1, 2, 3):
            checkpoints.save(step, _state(step), {})
        checkpoints.save(3, _state(3), {})  # there already
        self.assertEqual(checkpoints.latest_step, 3)
        self.assertEqual(int(checkpoints.restore(_state(0))[0].step), 3)
        self.assertCountEqual((p.name for p in self.directory.iterdir() if p.name.isdigit()), ["2", "3"])

    def test_nothing_to_restore(self):
        with self.assertRaisesRegex(FileNotFoundError, "no checkpoint"):
            Checkpoints(self.directory).restore(_state(0))


if __name__ == "__main__":
    absltest.main()
