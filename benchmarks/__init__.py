"""Measurements of speed, each beside something comparable: `python -m benchmarks`, or `python -m benchmarks.<name>`."""

import os

# Compilation is part of what is timed, so nothing is read from the programs' compilation cache.
os.environ.setdefault("JAX_ENABLE_COMPILATION_CACHE", "false")
