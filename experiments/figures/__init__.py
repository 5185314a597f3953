"""The figures of the paper, drawn from finished runs: one file for each figure, and `paper.py` with the list of them.

Nothing is trained here, and numbers are read from `metrics.json`.
"""
