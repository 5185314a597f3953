"""Tests of `hgn_jax.training.checkpoints`."""

import pathlib
import shutil
import subprocess
import sys
from unittest import mock

import chex
import jax
import jax.numpy as jnp
import optax
from absl.testing import absltest, parameterized

from hgn_jax.training import TrainState
from hgn_jax.training import checkpoints as checkpoints_module
from hgn_jax.training.checkpoints import CheckpointError, Checkpoints
from hgn_jax.training.geco import GECOConfig, geco
from tests.root import ROOT


def _state(step):
    params = {"part": {"w": jnp.full((2, 3), float(step)), "b": jnp.arange(3.0)}}
    opt_state = optax.chain(optax.clip_by_global_norm(1.0), optax.adam(1e-3)).init(params)
    return TrainState(jnp.int32(step), params, opt_state, geco(GECOConfig()).init(), jax.random.PRNGKey(step))


class CheckpointsTest(parameterized.TestCase):
    def setUp(self):
        super().setUp()
        self.directory = pathlib.Path(self.create_tempdir().full_path) / "checkpoints"

    def test_round_trip_keeps_structure_types_and_values(self):
        Checkpoints(self.directory).save(7, _state(7), {"seconds": 1.5})
        state, notes, damaged = Checkpoints(self.directory).restore(_state(0))
        chex.assert_trees_all_equal(state, _state(7))
        chex.assert_trees_all_equal_dtypes(state, _state(7))
        self.assertEqual(jax.tree.structure(state), jax.tree.structure(_state(7)))
        self.assertEqual(notes, {"seconds": 1.5})
        self.assertEmpty(damaged)

    def test_keeps_the_newest(self):
        checkpoints = Checkpoints(self.directory, keep=2)
        self.assertIsNone(checkpoints.latest_step)
        for step in (1, 2, 3):
            checkpoints.save(step, _state(step), {})
        checkpoints.save(3, _state(3), {})  # there already
        self.assertEqual(checkpoints.latest_step, 3)
        self.assertEqual(int(checkpoints.restore(_state(0)).state.step), 3)
        self.assertCountEqual((p.name for p in self.directory.iterdir() if p.name.isdigit()), ["2", "3"])

    def test_nothing_to_restore(self):
        with self.assertRaisesRegex(FileNotFoundError, "no checkpoint"):
            Checkpoints(self.directory).restore(_state(0))

    def _save(self, *steps):
        checkpoints = Checkpoints(self.directory)
        for step in steps:
            checkpoints.save(step, _state(step), {"seconds": float(step)})
        checkpoints.close()

    def _files(self, step):
        """The files of a checkpoint's state, largest first."""
        files = [path for path in (self.directory / str(step) / "state").rglob("*") if path.is_file()]
        return sorted(files, key=lambda path: -path.stat().st_size)

    def test_a_full_disk_loses_nothing_earlier(self):
        self._save(4)
        checkpoints = Checkpoints(self.directory)
        with (
            mock.patch.object(shutil, "disk_usage", lambda _: mock.Mock(free=1000)),
            self.assertRaisesRegex(CheckpointError, "^checkpoint 6 cannot be written to .*: No space left on device"),
        ):
            checkpoints.save(6, _state(6), {})
        self._assert_only(4)

    def test_a_save_that_fails_half_way_loses_nothing_earlier(self):
        self._save(4)
        program = (  # the system's own limit on the size of files, which a process cannot lift again
            "import pathlib, resource, sys\n"
            "from hgn_jax.training.checkpoints import CheckpointError, Checkpoints\n"
            "from tests.hgn_jax.training.checkpoints_test import _state\n"
            "checkpoints = Checkpoints(pathlib.Path(sys.argv[1]))\n"
            "resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))\n"
            "try:\n"
            "    checkpoints.save(6, _state(6), {})\n"
            "except CheckpointError as error:\n"
            "    print(error)\n"
        )
        result = subprocess.run(
            [sys.executable, "-c", program, self.directory], capture_output=True, text=True,
            cwd=ROOT,
        )  # fmt: skip
        self.assertRegex(result.stdout, "^checkpoint 6 cannot be written to .*File too large\n$", result.stderr)
        self._assert_only(4)

    def _assert_only(self, step):
        checkpoints = Checkpoints(self.directory)
        self.assertEqual(checkpoints.latest_step, step)
        chex.assert_trees_all_equal(checkpoints.restore(_state(0)).state, _state(step))
        checkpoints.save(step + 1, _state(step + 1), {})  # and the run can go on
        chex.assert_trees_all_equal(Checkpoints(self.directory).restore(_state(0)).state, _state(step + 1))

    def _assert_falls_back(self, message):
        checkpoints = Checkpoints(self.directory)
        state, notes, damaged = checkpoints.restore(_state(0))
        chex.assert_trees_all_equal(state, _state(4))
        self.assertEqual(notes, {"seconds": 4.0})
        self.assertLen(damaged, 1)
        self.assertRegex(damaged[0], f"checkpoint 6 in .* is damaged: .*{message}")
        self.assertNotIn("\n", damaged[0])
        checkpoints.save(6, _state(6), {})  # the run comes there again
        chex.assert_trees_all_equal(Checkpoints(self.directory).restore(_state(0)).state, _state(6))
        self.assertTrue((self.directory / "6.damaged").exists())

    def test_a_flipped_byte_never_changes_what_is_read(self):
        self._save(4, 6)
        seen = 0
        for i, path in enumerate(self._files(6)):
            copy = self.directory.with_name(f"copy_{i}")
            shutil.copytree(self.directory, copy)
            content = bytearray(path.read_bytes())
            content[len(content) // 2] ^= 0x10
            (copy / path.relative_to(self.directory)).write_bytes(content)
            restored = Checkpoints(copy).restore(_state(0))
            seen += len(restored.damaged)  # not every byte matters
            chex.assert_trees_all_equal(restored.state, _state(4 if restored.damaged else 6))
        self.assertGreater(seen, 0)

    def test_a_changed_number_falls_back(self):
        self._save(4)
        original = checkpoints_module._digest
        with mock.patch.object(checkpoints_module, "_digest", lambda *_: original(_state(5), {})):
            self._save(6)  # the digest is of other numbers, as when the file has changed since
        self._assert_falls_back("what was read is not what was written")

    def test_a_truncated_file_falls_back(self):
        self._save(4, 6)
        for path in self._files(6)[:2]:
            path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
        self._assert_falls_back("")

    @parameterized.parameters("state", "header")
    def test_a_missing_item_falls_back(self, item):
        self._save(4, 6)
        shutil.rmtree(self.directory / "6" / item)
        self._assert_falls_back("")

    def test_none_is_whole(self):
        self._save(4, 6)
        for step in (4, 6):
            shutil.rmtree(self.directory / str(step) / "state")
        with self.assertRaisesRegex(CheckpointError, "no checkpoint is whole: checkpoint 6 .*; checkpoint 4"):
            Checkpoints(self.directory).restore(_state(0))
        self.assertCountEqual((path.name for path in self.directory.iterdir()), ["4", "6"])  # nothing is moved

    def test_another_model_is_no_damage(self):
        self._save(4)
        other = _state(0)._replace(params={"part": {"w": jnp.zeros((2, 4)), "b": jnp.zeros(3)}})
        with self.assertRaisesRegex(CheckpointError, "checkpoint 4 in .* is of another model"):
            Checkpoints(self.directory).restore(other)

    def test_a_newer_format_is_refused(self):
        with mock.patch.object(checkpoints_module, "_FORMAT", 2):
            self._save(4)
        with self.assertRaisesRegex(CheckpointError, "has format 2, written by a newer version"):
            Checkpoints(self.directory).restore(_state(0))


if __name__ == "__main__":
    absltest.main()
