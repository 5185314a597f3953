"""What absltest needs of pytest, and what keeps the tests to themselves and quick."""

import os

from absl import flags

flags.FLAGS.mark_as_parsed()  # for absltest's temporary directories

# Programs under test neither read nor fill the user's cache of compiled programs.
os.environ.setdefault("JAX_ENABLE_COMPILATION_CACHE", "false")


def pytest_collection_modifyitems(items):
    """Slow tests first, so that no worker is left alone with one at the end."""
    items.sort(key=lambda item: item.get_closest_marker("slow") is None)
