"""Trained models that come with the package, and the pairs of files that keep such models.

`models/` holds files only, which `python -m experiments.export` writes.
"""
