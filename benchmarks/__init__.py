"""What is timed: `python -m benchmarks`, or `python -m benchmarks.<name>`."""

import os

# What is compiled is to be compiled here and now, and timed; the cache of the programs would have it already.
os.environ.setdefault("JAX_ENABLE_COMPILATION_CACHE", "false")
