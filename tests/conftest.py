"""What absltest needs of pytest, and what keeps the tests to themselves and quick."""

import os
import signal

from absl import flags

flags.FLAGS.mark_as_parsed()  # for absltest's temporary directories

# Programs under test neither read nor fill the user's cache of compiled programs.
os.environ.setdefault("JAX_ENABLE_COMPILATION_CACHE", "false")


# A shell has what it runs in the background ignore Ctrl-C, and programs under test would inherit that.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items):
    """Slow tests first, so that no worker is left alone with one at the end."""
    items.sort(key=lambda item: item.get_closest_marker("slow") is None)
