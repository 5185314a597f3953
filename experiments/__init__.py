"""Programs people run: `python -m experiments.<program>`."""

from data_builders import interruption

interruption.catch_early()
