"""What is timed: `python -m benchmarks.<name>`."""

from data_builders import interruption

interruption.catch_early()
