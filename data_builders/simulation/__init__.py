"""Ground truth: random draws, trajectories by scipy, and the configuration of a simulated data set.

No images and no files.
"""
