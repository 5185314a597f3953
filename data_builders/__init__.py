"""TFDS builders of simulated systems and of your own videos, and what they are made of."""

from data_builders import interruption

interruption.catch_early()
