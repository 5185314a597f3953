"""Measurements of trained models, as functions of arrays.

No files and no printing: the programs decide what becomes of the numbers.
"""
