"""HGN, HNN and NHF as records of pure functions, with their configurations; the densities that NHF learns.

A model knows nothing of optimisers, files or data sets.
"""
