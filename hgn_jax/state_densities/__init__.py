"""Densities of the states that a model has inferred, from which new trajectories begin.

States are points `[n, d]` here. Nothing in this folder knows of frames or of files other than its own.
"""
