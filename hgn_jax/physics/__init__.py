"""Phase space, Hamiltonians, integrators and the true systems.

Plain mathematics of arrays: no networks, no training, no files.
"""
