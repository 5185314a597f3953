"""absltest's temporary directories need absl's flags, which pytest does not parse; and programs get no shared cache."""

import os

from absl import flags

flags.FLAGS.mark_as_parsed()

# Programs under test neither read nor fill the user's cache of compiled programs.
os.environ.setdefault("JAX_ENABLE_COMPILATION_CACHE", "false")
