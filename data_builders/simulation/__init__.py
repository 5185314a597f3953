"""Ground truth: random draws, trajectories integrated by scipy, and the configuration of a simulated data set.

Nothing here reads or writes files or knows TFDS's builders.
"""
