"""Tests of `hgn_jax.training.progress`."""

import io

from absl.testing import absltest

from hgn_jax.training.progress import progress_bar


class _Terminal(io.StringIO):
    def isatty(self):
        return True


class ProgressTest(absltest.TestCase):
    def test_lines_without_a_terminal(self):
        file = io.StringIO()
        with progress_bar(10, "training", "step", done=4, file=file) as bar:
            bar.set_postfix_str("loss 3", refresh=False)
            bar.update(6)
        lines = file.getvalue().splitlines()
        self.assertNotIn("\r", file.getvalue())
        self.assertStartsWith(lines[0], "training: 4/10 steps")
        self.assertStartsWith(lines[-1], "training: 10/10 steps")
        self.assertEndsWith(lines[-1], "left, loss 3")

    def test_a_bar_on_a_terminal(self):
        file = _Terminal()
        with progress_bar(10, "training", "step", file=file) as bar:
            bar.update(10)
        self.assertIn("\r", file.getvalue())
        self.assertIn("10/10", file.getvalue())
