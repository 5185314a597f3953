"""The training loop for any model: optimiser, GECO, checkpoints, processes, logs.

A model is known here by the interface `Model` only.
"""
