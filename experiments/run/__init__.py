"""Shared by all programs: the command line, the run directory, training, provenance.

Nothing here knows which models there are.
"""
