"""Tests of `experiments.run.compilation_cache`, each in a process of its own, as JAX reads its settings once."""

import os
import pathlib
import subprocess
import sys
import time

from absl.testing import parameterized

from experiments.run import compilation_cache
from tests.root import ROOT

_PROGRAM = """
from experiments.run import compilation_cache
compilation_cache.use()
import jax, os
print(float(jax.jit(lambda x: (x @ x).sum())(jax.numpy.ones((8, 8)))), os.environ.get("JAX_COMPILATION_CACHE_DIR"))
"""


class CompilationCacheTest(parameterized.TestCase):
    def setUp(self):
        super().setUp()
        self.home = pathlib.Path(self.create_tempdir().full_path)

    def _run(self, **environment):
        """Runs the program, which must print its result and nothing else; returns the cache's directory it names."""
        kept = {name: value for name, value in os.environ.items() if "CACHE" not in name}
        command = [sys.executable, "-c", environment.pop("program", _PROGRAM)]
        result = subprocess.run(
            command, cwd=ROOT, capture_output=True, text=True,
            env={**kept, "XDG_CACHE_HOME": str(self.home), "JAX_PLATFORMS": "cpu", **environment},
        )  # fmt: skip
        self.assertEqual((result.returncode, result.stderr), (0, ""))
        value, directory = result.stdout.split()
        self.assertEqual(value, "512.0")
        return directory

    def _entries(self):
        return sorted(self.home.glob("hgn_jax/xla_*/*-cache"))

    def test_what_is_compiled_is_kept_and_found_again(self):
        directory = self._run()
        entries = self._entries()
        self.assertNotEmpty(entries)
        self.assertEqual(str(entries[0].parent), directory)
        times = [path.stat().st_mtime_ns for path in entries]
        self._run()
        self.assertEqual([path.stat().st_mtime_ns for path in self._entries()], times)

    def test_damaged_entries_are_no_matter(self):
        self._run()
        for path in self._entries():
            path.write_bytes(path.read_bytes()[:-7])
        self._run()

    def test_a_place_that_cannot_be_written_is_no_matter(self):
        (self.home / "file").touch()
        self._run(XDG_CACHE_HOME=str(self.home / "file"))
        self._run(JAX_COMPILATION_CACHE_DIR=str(self.home / "file" / "cache"))

    def test_settings_of_jax_go_first(self):
        self.assertEqual(self._run(JAX_COMPILATION_CACHE_DIR=str(self.home / "mine")), str(self.home / "mine"))
        self.assertNotEmpty(list((self.home / "mine").iterdir()))
        self._run(JAX_ENABLE_COMPILATION_CACHE="false")
        self.assertEmpty(self._entries())

    def test_a_library_user_has_none(self):
        program = _PROGRAM.replace("compilation_cache.use()", "import hgn_jax.training.loop, hgn_jax.models.hgn")
        self.assertEqual(self._run(program=program), "None")
        self.assertEmpty(self._entries())

    def test_old_entries_go(self):
        old, new = self.home / "old-cache", self.home / "new-cache"
        for path, age in ((old, 31), (new, 29)):
            path.touch()
            os.utime(path, (time.time() - age * 24 * 3600,) * 2)
        compilation_cache._delete_old_entries(self.home)
        self.assertEqual(list(self.home.iterdir()), [new])
