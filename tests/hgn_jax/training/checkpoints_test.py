"""Tests of `hgn_jax.training.checkpoints`."""

import contextlib
import pathlib
import resource
import shutil
import tempfile
from unittest import mock

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from absl.testing import parameterized

from hgn_jax.training import TrainState
from hgn_jax.training import checkpoints as checkpoints_module
from hgn_jax.training.checkpoints import CheckpointError, Checkpoints
from hgn_jax.training.geco import GECOConfig, geco


def _state(step, width=3):
    """A state with every kind of container, which differs from step to step."""
    params = {"part": {"w": jnp.full((2, width), float(step)), "b": jnp.arange(3.0)}, "links": (jnp.ones(2),)}
    opt_state = optax.chain(optax.clip_by_global_norm(1.0), optax.adam(1e-3)).init(params)
    return TrainState(jnp.int32(step), params, opt_state, geco(GECOConfig()).init(), jax.random.PRNGKey(step))


_TEMPLATE = jax.eval_shape(lambda: _state(0))


@contextlib.contextmanager
def _full_disk():
    with mock.patch.object(shutil, "disk_usage", lambda _: mock.Mock(free=1000)):
        yield


@contextlib.contextmanager
def _largest_file(size):
    """The system's own limit on the size of files, which makes a save fail half-way."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


def _truncate(checkpoint):
    for path in _files(checkpoint)[:2]:
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def _change_a_number(checkpoint):
    """Replaces the arrays by those of another state, as if the files had changed since."""
    with tempfile.TemporaryDirectory() as directory:
        Checkpoints(pathlib.Path(directory)).save(6, _state(5), {})
        shutil.rmtree(checkpoint / "state")
        shutil.copytree(pathlib.Path(directory) / "6" / "state", checkpoint / "state")


def _files(checkpoint):
    """The files of a checkpoint's state, largest first."""
    files = [path for path in (checkpoint / "state").rglob("*") if path.is_file()]
    return sorted(files, key=lambda path: -path.stat().st_size)


class CheckpointsTest(parameterized.TestCase):
    def setUp(self):
        super().setUp()
        self.directory = pathlib.Path(self.create_tempdir().full_path) / "checkpoints"

    def _save(self, *steps):
        checkpoints = Checkpoints(self.directory)
        for step in steps:
            checkpoints.save(step, _state(step), {"seconds": float(step)})
        return checkpoints

    def _restore(self):
        return Checkpoints(self.directory).restore(_TEMPLATE)

    def test_round_trip(self):
        self._save(7)
        state, notes, damaged = self._restore()
        chex.assert_trees_all_equal(state, _state(7))
        chex.assert_trees_all_equal_dtypes(state, _state(7))
        self.assertEqual(jax.tree.structure(state), jax.tree.structure(_state(7)))
        self.assertEqual(notes, {"seconds": 7.0})
        self.assertEmpty(damaged)
        self.assertEqual({x.device for x in jax.tree.leaves(state)}, {jax.local_devices()[0]})
        arrays = Checkpoints(self.directory).read_arrays()
        np.testing.assert_array_equal(arrays["params/part/w"], np.full((2, 3), 7.0))
        np.testing.assert_array_equal(arrays["params/links/0"], np.ones(2))

    def test_the_newest_are_kept(self):
        checkpoints = Checkpoints(self.directory, keep=2)
        self.assertIsNone(checkpoints.latest_step)
        with self.assertRaisesRegex(FileNotFoundError, "no checkpoint"):
            checkpoints.restore(_TEMPLATE)
        for step in (1, 2, 3, 3):
            checkpoints.save(step, _state(step), {})
        self.assertEqual(checkpoints.latest_step, 3)
        self.assertEqual(int(checkpoints.restore(_TEMPLATE).state.step), 3)
        self.assertCountEqual((path.name for path in self.directory.iterdir()), ["2", "3"])

    @parameterized.parameters((_full_disk(), "No space left on device"), (_largest_file(100), "File too large"))
    def test_a_failed_save_leaves_the_earlier_checkpoints(self, failure, reason):
        checkpoints = self._save(4)
        with self.assertRaisesRegex(CheckpointError, f"^checkpoint 6 cannot be written to .*: .*{reason}"), failure:
            checkpoints.save(6, _state(6), {})
        self.assertEqual(Checkpoints(self.directory).latest_step, 4)
        chex.assert_trees_all_equal(self._restore().state, _state(4))
        self._save(6)
        chex.assert_trees_all_equal(self._restore().state, _state(6))

    @parameterized.parameters(
        (_truncate, ""),
        (lambda checkpoint: shutil.rmtree(checkpoint / "state"), ""),
        (lambda checkpoint: shutil.rmtree(checkpoint / "header"), ""),
        (_change_a_number, "the numbers read differ from those written"),
    )
    def test_a_damaged_checkpoint_is_put_aside_for_the_one_before(self, damage, message):
        self._save(4)
        self._save(6)
        damage(self.directory / "6")
        np.testing.assert_array_equal(Checkpoints(self.directory).read_arrays()["step"], 4)
        self.assertCountEqual((path.name for path in self.directory.iterdir()), ["4", "6"])  # reading moves nothing
        checkpoints = Checkpoints(self.directory)
        state, notes, damaged = checkpoints.restore(_TEMPLATE)
        chex.assert_trees_all_equal(state, _state(4))
        self.assertEqual(notes, {"seconds": 4.0})
        self.assertLen(damaged, 1)
        self.assertRegex(damaged[0], f"^checkpoint 6 in .* is damaged: .*{message}$")
        checkpoints.save(6, _state(6), {})  # when the run has come there again
        chex.assert_trees_all_equal(self._restore().state, _state(6))
        self.assertTrue((self.directory / "6.damaged").exists())

    def test_a_flipped_byte_never_changes_what_is_read(self):
        self._save(4, 6)
        num_damaged = 0
        for i, path in enumerate(_files(self.directory / "6")):
            copy = self.directory.with_name(f"copy_{i}")
            shutil.copytree(self.directory, copy)
            content = bytearray(path.read_bytes())
            content[len(content) // 2] ^= 0x10
            (copy / path.relative_to(self.directory)).write_bytes(content)
            restored = Checkpoints(copy).restore(_TEMPLATE)
            num_damaged += len(restored.damaged)  # not every byte matters
            chex.assert_trees_all_equal(restored.state, _state(4 if restored.damaged else 6))
        self.assertGreater(num_damaged, 0)

    @pytest.mark.slow
    def test_a_file_that_was_cut_off_never_changes_what_is_read(self):
        """As after a power failure, which leaves any file of a checkpoint shorter, empty or full of zeros."""
        self._save(4, 6)
        files = [path for path in (self.directory / "6").rglob("*") if path.is_file()]
        for number, path in enumerate(files):
            whole = path.read_bytes()
            for i, content in enumerate((whole[: len(whole) // 2], b"", bytes(len(whole)))):
                copy = self.directory.with_name(f"cut_{number}_{i}")
                shutil.copytree(self.directory, copy)
                (copy / path.relative_to(self.directory)).write_bytes(content)
                restored = Checkpoints(copy).restore(_TEMPLATE)
                chex.assert_trees_all_equal(restored.state, _state(4 if restored.damaged else 6))
                Checkpoints(copy).save(8, _state(8), {})
                chex.assert_trees_all_equal(Checkpoints(copy).restore(_TEMPLATE).state, _state(8))

    def test_none_is_whole(self):
        self._save(4, 6)
        for step in (4, 6):
            shutil.rmtree(self.directory / str(step) / "state")
        with self.assertRaisesRegex(CheckpointError, "no checkpoint is whole: checkpoint 6 .*; checkpoint 4"):
            self._restore()
        self.assertCountEqual((path.name for path in self.directory.iterdir()), ["4", "6"])  # nothing is moved

    def test_another_model_is_refused(self):
        checkpoints = self._save(4)
        message = (
            r"checkpoint 4 in .* is of another model: its array params/part/w is float32 \(2, 3\), the model's is "
        )
        with self.assertRaisesRegex(CheckpointError, message + r"float32 \(2, 4\)"):
            checkpoints.restore(_state(0, width=4)._replace(opt_state=_TEMPLATE.opt_state))
        with self.assertRaisesRegex(CheckpointError, "its array params/part/w is .* the model's is absent"):
            checkpoints.restore(_TEMPLATE._replace(params={**_TEMPLATE.params, "part": {"b": jnp.zeros(3)}}))

    def test_formats(self):
        """The format before is read and checked as well, a newer one is refused."""
        self._save(4)
        state = jax.device_get(_state(6))
        numbers = (np.asarray(x).tobytes() for x in jax.tree.leaves(state))
        old_digest = checkpoints_module._hash([b'{"seconds": 6.0}', *numbers])
        with mock.patch.multiple(checkpoints_module, _FORMAT=1, _digest=lambda *_: old_digest):
            self._save(6)
        chex.assert_trees_all_equal(self._restore().state, state)
        with mock.patch.multiple(checkpoints_module, _FORMAT=1, _digest=lambda *_: "changed"):
            self._save(8)
        self.assertRegex(self._restore().damaged[0], "checkpoint 8 .* differ")
        with mock.patch.object(checkpoints_module, "_FORMAT", 3):
            self._save(10)
        with self.assertRaisesRegex(CheckpointError, "has format 3, written by a newer version"):
            self._restore()
