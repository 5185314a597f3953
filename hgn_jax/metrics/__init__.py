"""Measurements of trained models, as functions of arrays.

Nothing here reads files or prints; programs decide what to do with the numbers.
"""
