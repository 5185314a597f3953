"""TFDS builders of the four simulated systems, and what they are made of: a simulator and a renderer."""
