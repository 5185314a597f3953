"""Settings for the whole test session: flags, signals, compilation, property tests."""

import os
import signal
import tempfile

import hypothesis
from absl import flags

flags.FLAGS.mark_as_parsed()  # absltest reads flags for its temporary directories

# A shell makes background jobs ignore Ctrl-C, and the programs that the tests start would inherit that.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# Compiling takes most of the time of the tests. All workers and all programs that they start share one cache, through
# the environment: pytest-xdist's controller imports this file first and its workers inherit the variable. The cache is
# deleted with the session, unless the user names a directory to keep. JAX does not lock the directory: whoever reads
# an entry while it is being written gets a warning and compiles for itself.
if "JAX_COMPILATION_CACHE_DIR" not in os.environ:
    _cache = tempfile.TemporaryDirectory(prefix="hgn_jax_xla_", ignore_cleanup_errors=True)
    os.environ["JAX_COMPILATION_CACHE_DIR"] = _cache.name
os.environ.setdefault("JAX_ENABLE_COMPILATION_CACHE", "true")
os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0")
os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES", "0")

# The models of the tests are so small that optimising them takes longer than running them.
os.environ.setdefault("JAX_DISABLE_MOST_OPTIMIZATIONS", "true")

# Every session tries the same examples. `pytest --hypothesis-profile=thorough` tries eight times as many.
hypothesis.settings.register_profile("quick", max_examples=25, deadline=None, derandomize=True, database=None)
hypothesis.settings.register_profile("thorough", hypothesis.settings.get_profile("quick"), max_examples=200)
hypothesis.settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "quick"))
