"""A test case that computes in float64."""

import jax
from absl.testing import parameterized


class Float64TestCase(parameterized.TestCase):
    def setUp(self):
        super().setUp()
        self.enter_context(jax.enable_x64(True))
